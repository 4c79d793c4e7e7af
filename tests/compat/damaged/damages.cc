#include "damages.h"

#include <array>

namespace famfs::testing {

std::uint64_t Below(Random& random, std::uint64_t bound) {
  return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random);
}

std::uint64_t Absurd(Random& random) {
  static constexpr std::array<std::uint64_t, 6> kNumbers = {
      ~0ULL, 1ULL << 63, (1ULL << 63) - 1, 0xffffffffULL, 1ULL << 62, 12345};
  return Pick(random, kNumbers);
}

Damage Forge(RawImage& image, std::uint64_t index, const MediaEntry& entry,
             std::string what, std::vector<std::string> rules) {
  image.Put(index, entry);
  return {fmt::format("entry {}: {}", index, what), std::move(rules), index,
          ReaderMay::kNothing};
}

std::uint64_t AnyLeaf(Random& random) {
  static constexpr std::array<std::uint64_t, 5> kLeaves = {1, 2, 4, 6, 8};
  return Pick(random, kLeaves);
}

MediaExtent Free(Random& random) { return Unit(1500 + Below(random, 100)); }

void MakeGood(RawImage& image) {
  VolumeAttributes second = Attributes("pvc-v");
  second.revision = 2;
  image.Append(MkdirEntry("a"));
  image.Append(FileEntry("a/one", {Unit(0)}));
  image.Append(FileEntry("a/two", {Unit(10, 2), Unit(20, 2)}));
  image.Append(VolumeEntry("v", Attributes("pvc-v")));
  image.Append(FileEntry("v/data", {Unit(30)}));
  image.Append(VolumeEntry("v", second));
  image.Append(InterleavedEntry("a/inter", 3 * kAllocUnit, kAllocUnit,
                                {Unit(40, 2), Unit(50, 2)}));
  image.Append(VolumeEntry("w", Attributes("pvc-w")));
  image.Append(FileEntry("w/data", {Unit(60)}));
  image.Append(MkdirEntry("last"));
  image.SetState(State(0, 1));
  image.SetState(State(0, 2));
  image.SetCompaction({});
  image.SetCompaction({});
}

std::vector<DamageKind> DamageKinds() {
  std::vector<DamageKind> kinds = ByteDamages();
  for (const auto& more : {ForgedEntries(), ForgedVolumes()}) {
    kinds.insert(kinds.end(), more.begin(), more.end());
  }
  return kinds;
}

}  // namespace famfs::testing
