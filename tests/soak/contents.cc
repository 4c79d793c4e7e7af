#include "tests/soak/contents.h"

#include <cstring>

namespace famfs::soak {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kWord = sizeof(std::uint64_t);
// In the first word of a page, above the volume's number and the round.
constexpr std::uint64_t kMark = 0x50a4ULL << 48;
constexpr unsigned kRoundBits = 8;

// Any good mixing of 64 bits does.
std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ULL;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ULL;
  return x ^ (x >> 32);
}

std::string Describe(std::uint64_t first_word) {
  if (first_word == 0) return "the page begins with a zero";
  if ((first_word & (0xffffULL << 48)) != kMark) {
    return fmt::format("the page begins with {:#x}, which nobody writes there",
                       first_word);
  }
  const std::uint64_t rest = first_word & ~(0xffffULL << 48);
  return fmt::format("the page is volume {:#x}'s, round {}", rest >> kRoundBits,
                     rest & ((1U << kRoundBits) - 1));
}

}  // namespace

std::uint64_t Contents::WordAt(std::uint64_t offset) const {
  if (round_ == 0) return 0;
  const std::uint64_t head =
      kMark | volume_ << kRoundBits | (round_ & ((1U << kRoundBits) - 1));
  return offset % kPage == 0 ? head : Mix(head + (offset << 16));
}

void Contents::Fill(std::span<std::byte> to, std::uint64_t offset) const {
  for (std::uint64_t at = 0; at < to.size(); at += kWord) {
    const std::uint64_t word = WordAt(offset + at);
    std::memcpy(to.data() + at, &word, kWord);
  }
}

absl::Status Contents::Compare(std::span<const std::byte> found,
                               std::uint64_t offset) const {
  for (std::uint64_t at = 0; at < found.size(); at += kWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, found.data() + at, kWord);
    if (word == WordAt(offset + at)) continue;
    std::uint64_t first = 0;
    std::memcpy(&first, found.data() + at - at % kPage, kWord);
    return DataLoss(
        "volume {:#x}, round {}, byte {}: {:#x} in place of {:#x}; {}", volume_,
        round_, offset + at, word, WordAt(offset + at), Describe(first));
  }
  return absl::OkStatus();
}

}  // namespace famfs::soak
