#include "damages.h"

#include <array>
#include <cstring>

namespace famfs::testing {
namespace {

// --- attributes ------------------------------------------------------------

Damage ForgedExtension(RawImage& image, Random& random) {
  MediaEntry entry = VolumeEntry("x", Attributes("x"));
  std::byte* const field = entry.mkdir.extension;
  const auto put = [&](std::size_t at, std::uint64_t value, std::size_t bytes) {
    std::memcpy(field + at, &value, bytes);
  };
  switch (Below(random, 7)) {
    case 0:  // a length that does not fit
      put(6, 1 + Below(random, 50), 2);
      break;
    case 1:  // kind, layout, state, data path
      put(8 + Below(random, 4), 9 + Below(random, 240), 1);
      break;
    case 2:  // revision 0
      put(12, 0, 4);
      break;
    case 3:  // the capacity
      put(16, Absurd(random) | 1, 8);
      break;
    case 4:  // the name's length
      put(52, 129 + Below(random, 60000), 2);
      break;
    case 5:  // bytes after the end
      put(kExtensionSize - 1 - Below(random, 200), 1, 1);
      break;
    default:  // a deletion number of a live volume
      put(32, 1 + Below(random, 9), 8);
  }
  return Forge(image, 8, entry, "attributes", {"attributes"});
}

Damage ForgedRevision(RawImage& image, Random& random) {
  VolumeAttributes attributes = Attributes("pvc-v");
  switch (Below(random, 4)) {
    case 0:
      attributes.revision = static_cast<std::uint32_t>(
          std::array<std::uint64_t, 4>{1, 2, 4, 0xffffffff}[Below(random, 4)]);
      return Forge(image, 9, VolumeEntry("v", attributes), "revision again",
                   {"revision"});
    case 1:
      attributes.name = "another";
      attributes.revision = 3;
      return Forge(image, 9, VolumeEntry("v", attributes), "another name",
                   {"revision"});
    case 2:
      return Forge(image, 8, VolumeEntry("x", attributes), "a name twice",
                   {"volume"});
    default:
      attributes.name = "new";
      return Forge(image, 8, VolumeEntry("a/x", attributes),
                   "a volume below a directory", {"volume"});
  }
}

Damage ForgedLifeAfterDeletion(RawImage& image, Random& random) {
  VolumeAttributes attributes = Attributes("pvc-v");
  attributes.revision = 3;
  attributes.state = VolumeState::kDeleted;
  attributes.deletion_number = 1;
  image.Put(8, VolumeEntry("v", attributes));
  const MediaEntry entry = Below(random, 2) == 0
                               ? MkdirEntry("v")
                               : FileEntry("v/x", {Free(random)});
  return Forge(image, 9, entry, "life after deletion", {"dead"});
}

}  // namespace

std::vector<DamageKind> ForgedVolumes() {
  return {
      {"ForgedExtension", ForgedExtension},
      {"ForgedRevision", ForgedRevision},
      {"ForgedLifeAfterDeletion", ForgedLifeAfterDeletion},
  };
}

}  // namespace famfs::testing
