// How long the log of a new instance is where nobody says: a log never grows,
// and a file of a tree volume takes two slots and 2 MiB at least, so the slots
// have to keep up with the memory.
#pragma once

#include <cstdint>

namespace famfs {

/// Slots for each 2 MiB of all devices. A file of 2 MiB takes two; a tree claim
/// is promised three for each 2 MiB and 129 more, so claims of 258 MiB and
/// above, of all the memory, fit.
inline constexpr std::uint64_t kSlotsPerUnit = 4;
/// A compaction needs room for another log, so both take an eighth.
inline constexpr std::uint64_t kDefaultLogShare = 16;
/// Enough for 64 TiB of files of 2 MiB. Whoever opens an instance for writing
/// reads all of the log: 64 GiB take some 10 s.
inline constexpr std::uint64_t kMaxDefaultLogLength = 64ULL << 30;  // bytes

/// kSlotsPerUnit for the memory of the primary and of further devices (bytes),
/// as a power of two: at most kMaxDefaultLogLength and the kDefaultLogShare-th
/// part of the primary, on which the log lies; at least kMinLogLength.
std::uint64_t DefaultLogLength(std::uint64_t primary, std::uint64_t further);

}  // namespace famfs
