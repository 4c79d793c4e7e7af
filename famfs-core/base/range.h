// A range of a device.
#pragma once

#include <compare>
#include <cstdint>

namespace famfs {

/// [offset, offset + length) of a device, in bytes.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  [[nodiscard]] std::uint64_t end() const { return offset + length; }
  // NOLINTNEXTLINE(modernize-use-nullptr): the comparison's own literal zero.
  auto operator<=>(const Range&) const = default;
};

}  // namespace famfs
