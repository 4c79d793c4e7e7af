#include "tools/copy/seeded_stream.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace famfs {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

std::uint64_t WordAt(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

void FillSeeded(std::uint64_t seed, std::uint64_t at,
                std::span<std::byte> bytes) {
  std::uint64_t index = at / kWord;
  std::size_t done = 0;
  for (; done + kWord <= bytes.size(); done += kWord, ++index) {
    const std::uint64_t word = WordAt(seed, index);
    std::memcpy(bytes.data() + done, &word, kWord);
  }
  if (done < bytes.size()) {
    const std::uint64_t word = WordAt(seed, index);
    std::memcpy(bytes.data() + done, &word, bytes.size() - done);
  }
}

std::optional<std::size_t> FirstDifference(std::uint64_t seed, std::uint64_t at,
                                           std::span<const std::byte> bytes) {
  std::array<std::byte, 4096> expected{};
  for (std::size_t done = 0; done < bytes.size(); done += expected.size()) {
    const std::size_t step = std::min(expected.size(), bytes.size() - done);
    FillSeeded(seed, at + done, std::span(expected).first(step));
    const std::byte* const there = bytes.data() + done;
    if (std::memcmp(there, expected.data(), step) == 0) continue;
    return done +
           static_cast<std::size_t>(
               std::mismatch(there, there + step, expected.begin()).first -
               there);
  }
  return std::nullopt;
}

std::byte SeededByte(std::uint64_t seed, std::uint64_t at) {
  const std::uint64_t word = WordAt(seed, at / kWord);
  return static_cast<std::byte>(word >> (8 * (at % kWord)));
}

}  // namespace famfs
