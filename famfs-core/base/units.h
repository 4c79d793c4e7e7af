// Sizes are bytes, always, in std::uint64_t. These helpers convert at the
// edges.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace famfs {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kTiB = 1024 * kGiB;

/// `value` rounded up to a multiple of `unit`. The result must fit: callers
/// bound `value` first (value <= UINT64_MAX - unit + 1).
constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// "4G", "512MiB", "2m", "4096": binary units, case-insensitive, an optional
/// "i" and "B". InvalidArgument names the text; OutOfRange when it overflows.
absl::StatusOr<std::uint64_t> ParseSize(std::string_view text);

/// "3.00 GiB", "2.00 MiB", "17 B": for people, never parsed again.
std::string FormatSize(std::uint64_t bytes);

}  // namespace famfs
