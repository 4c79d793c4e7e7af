// The bytes that a volume is to hold: zeros at first, then one pattern after
// another. Each page says whose it is, so that bytes in a wrong place tell
// where they come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace famfs::soak {

class Contents {
 public:
  /// `volume`: a number that no other volume of the run has.
  Contents(std::uint64_t volume, std::uint64_t size)
      : volume_(volume), size_(size) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }  // bytes
  [[nodiscard]] unsigned round() const { return round_; }
  /// The next pattern.
  void Change() { ++round_; }

  /// What is to be at `offset`. Whole pages, here and below.
  void Fill(std::span<std::byte> to, std::uint64_t offset) const;
  /// DataLoss says where the first difference is and what is there.
  [[nodiscard]] absl::Status Compare(std::span<const std::byte> found,
                                     std::uint64_t offset) const;

 private:
  [[nodiscard]] std::uint64_t WordAt(std::uint64_t offset) const;

  std::uint64_t volume_;
  std::uint64_t size_;
  unsigned round_ = 0;
};

}  // namespace famfs::soak
