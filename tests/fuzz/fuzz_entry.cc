// One log entry with hostile content behind a checksum that fits. Whatever
// CheckEntry accepts must keep the rules as they are counted again here, and
// whatever attributes are decoded must encode to the same bytes.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "media/checksum.h"
#include "media/rules.h"
#include "media/volume_attributes.h"
#include "require.h"

namespace famfs {
namespace {

constexpr std::uint64_t kDataStart = 10ULL << 20;
constexpr std::uint64_t kDeviceSize = 4ULL << 30;

/// Wide enough for every sum of 16 lengths.
using Wide = unsigned __int128;

void RequireExtents(std::span<const MediaExtent> extents, std::uint64_t size) {
  Wide held = 0;
  for (const MediaExtent& extent : extents) {
    held += extent.length;
    FUZZ_REQUIRE(extent.length > 0);
    FUZZ_REQUIRE(extent.offset % kAllocUnit == 0);
    FUZZ_REQUIRE(extent.length % kAllocUnit == 0);
    const Wide end = Wide{extent.offset} + extent.length;
    FUZZ_REQUIRE(end <= INT64_MAX);
    if (extent.device_index == 0) {
      FUZZ_REQUIRE(extent.offset >= kDataStart && end <= kDeviceSize);
    }
  }
  FUZZ_REQUIRE(held >= size);
}

void RequireFile(const MediaFile& file) {
  FUZZ_REQUIRE(file.size > 0);
  FUZZ_REQUIRE(CheckPath(PathFromField(file.path)).ok());
  if (file.extent_type == 0) {
    FUZZ_REQUIRE(file.extent_count <= kMaxExtents);
    RequireExtents({file.extents, file.extent_count}, file.size);
    return;
  }
  FUZZ_REQUIRE(file.extent_type == 1);
  const MediaInterleave& interleave = file.interleave;
  FUZZ_REQUIRE(interleave.strips_used <= kMaxStrips && interleave.chunk > 0);
  RequireExtents({interleave.strips, interleave.strips_used}, file.size);
  // The last byte lies in its strip.
  const std::uint64_t last = file.size - 1;
  const std::uint64_t chunk = last / interleave.chunk;
  FUZZ_REQUIRE(Wide{chunk / interleave.strips_used} * interleave.chunk +
                   last % interleave.chunk <
               interleave.strips[chunk % interleave.strips_used].length);
}

void RequireAttributes(const MediaMkdir& mkdir) {
  const auto attributes = DecodeVolumeAttributes(mkdir);
  if (!attributes.ok() || !attributes->has_value()) return;
  MediaMkdir again{};
  FUZZ_REQUIRE(EncodeVolumeAttributes(**attributes, again).ok());
  FUZZ_REQUIRE(std::memcmp(again.extension, mkdir.extension, kExtensionSize) ==
               0);
}

void Run(std::span<const std::uint8_t> input) {
  MediaEntry entry{};
  std::memcpy(static_cast<void*>(&entry), input.data(),
              std::min(input.size(), sizeof(entry)));
  // As it came, and then with the checksum that lets the content through.
  FUZZ_REQUIRE(
      !CheckEntry(entry, entry.seqnum + 1, kDataStart, kDeviceSize).ok());
  Seal(entry);
  const absl::Status status =
      CheckEntry(entry, entry.seqnum, kDataStart, kDeviceSize);
  FUZZ_REQUIRE(status.ok() || absl::IsDataLoss(status));
  if (status.ok() && entry.type == 0) RequireFile(entry.file);
  RequireAttributes(entry.mkdir);
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size != 0) famfs::Run({data, size});
  return 0;
}
