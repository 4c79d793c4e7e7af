#include "base/units.h"

#include <array>
#include <charconv>
#include <limits>

namespace famfs {
namespace {

// The power of two that a suffix stands for, or -1: "", "B", "K", "KB",
// "KiB"...
int ShiftOf(std::string_view suffix) {
  constexpr std::string_view kUnits = "KMGTPE";
  auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  if (suffix.empty()) return 0;
  if (suffix.size() == 1 && lower(suffix[0]) == 'b') return 0;
  int shift = -1;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (lower(suffix[0]) == lower(kUnits[i])) {
      shift = 10 * (static_cast<int>(i) + 1);
    }
  }
  suffix.remove_prefix(1);
  if (!suffix.empty() && lower(suffix[0]) == 'i') suffix.remove_prefix(1);
  if (!suffix.empty() && lower(suffix[0]) == 'b') suffix.remove_prefix(1);
  return suffix.empty() ? shift : -1;
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseSize(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range) {
    return OutOfRange("size \"{}\" does not fit in 64 bits", text);
  }
  const int shift = error == std::errc{}
                        ? ShiftOf({rest, static_cast<std::size_t>(end - rest)})
                        : -1;
  if (shift < 0) {
    return InvalidArgument(
        "\"{}\" is not a size: write a whole number of bytes, or one with K, "
        "M, G or T, such as 512M or 4GiB",
        text);
  }
  if (value > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return OutOfRange("size \"{}\" does not fit in 64 bits", text);
  }
  return value << shift;
}

std::string FormatSize(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB",
                                                 "TiB", "PiB", "EiB"};
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024.0;
  std::size_t unit = 0;
  // 1023.995 would print as "1024.00": such a value belongs to the next unit.
  while (value >= 1023.995 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  return fmt::format("{:.2f} {}", value, kUnits[unit]);
}

}  // namespace famfs
