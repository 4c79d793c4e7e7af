// The kinds of damage, each made from a random number, and what a checker must
// say about it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/instance_read/raw_image.h"

namespace famfs::testing {

using Random = std::mt19937_64;

/// A number in [0, bound).
std::uint64_t Below(Random& random, std::uint64_t bound);

template <typename T, std::size_t N>
const T& Pick(Random& random, const std::array<T, N>& from) {
  return from[Below(random, N)];
}
/// A number that is never a sensible size, count or offset.
std::uint64_t Absurd(Random& random);

enum class ReaderMay {
  kNothing,      // Open refuses
  kValidPrefix,  // Open may succeed without the damaged tail entry
  kAll,          // a second copy, or the next opening, makes up for it
};

/// What was done to an image, and what must be told.
struct Damage {
  std::string what;                    // for messages
  std::vector<std::string> rules;      // a finding has one of these
  std::optional<std::uint64_t> entry;  // and names this entry
  ReaderMay reader = ReaderMay::kNothing;
};

/// Replaces a good slot by a sealed entry: a forged checksum over bad content.
Damage Forge(RawImage& image, std::uint64_t index, const MediaEntry& entry,
             std::string what, std::vector<std::string> rules);
/// A slot that no later entry needs.
std::uint64_t AnyLeaf(Random& random);
/// A unit that no good entry uses.
MediaExtent Free(Random& random);

struct DamageKind {
  const char* name;
  Damage (*make)(RawImage& image, Random& random);
};

/// Entries of the good image that every damage starts from; slots 0 to 9.
inline constexpr std::uint64_t kGoodEntries = 10;
/// Directories, files of one and of two extents, an interleaved one, two
/// volumes (one with a second revision), and our region.
void MakeGood(RawImage& image);

/// Of single bytes, headers and lengths; of entries; of volumes' attributes.
std::vector<DamageKind> ByteDamages();
std::vector<DamageKind> ForgedEntries();
std::vector<DamageKind> ForgedVolumes();
std::vector<DamageKind> DamageKinds();  // all

}  // namespace famfs::testing
