// The pseudo random bytes of `famfs creat --seed` and `famfs verify`: any part
// of a file can be made and checked by itself.
//
// Word i (64 bits, little-endian, from byte 8 * i on) is the (i + 1)th number
// of the SplitMix64 sequence that starts at the seed:
//
//   z = seed + (i + 1) * 0x9e3779b97f4a7c15
//   z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
//   z = (z ^ (z >> 27)) * 0x94d049bb133111eb
//   z ^ (z >> 31)
//
// all modulo 2^64. A file whose size is no multiple of 8 ends with the low
// bytes of its last word. docs/tools.md promises this; upstream's generator is
// another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace famfs {

/// Fills `bytes`, which begin at byte `at` of the file, a multiple of 8.
void FillSeeded(std::uint64_t seed, std::uint64_t at,
                std::span<std::byte> bytes);

/// Where, counted from the start of `bytes`, the first byte differs from the
/// stream's.
std::optional<std::size_t> FirstDifference(std::uint64_t seed, std::uint64_t at,
                                           std::span<const std::byte> bytes);

/// The stream's byte `at`.
std::byte SeededByte(std::uint64_t seed, std::uint64_t at);

}  // namespace famfs
