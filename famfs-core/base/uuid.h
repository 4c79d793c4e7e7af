// A UUID as 16 raw bytes in RFC 4122 text order (libuuid's), which is how the
// media format stores it (facts: superblock offsets 48, 64, 80).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace famfs {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
  [[nodiscard]] std::string ToString() const;  // 36 characters, lower case

  static Uuid Random();
  /// The 36-character form, upper or lower case. InvalidArgument otherwise.
  static absl::StatusOr<Uuid> Parse(std::string_view text);
};

static_assert(sizeof(Uuid) == 16);

}  // namespace famfs
