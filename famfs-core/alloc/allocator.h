// Which extents of one device are free. 2 MiB units, ordered free extents, cost
// logarithmic in their number and independent of the device's size.
//
// Contiguous placement: the smallest free extent that holds the request (lowest
// offset among equals), at its start; a request of 1 GiB or more is placed on a
// 1 GiB boundary when some free extent can hold it so, because the kernel can
// then map it with 1 GiB entries. Among those extents the one is taken that has
// the least room from its first boundary on. Every operation is a few look-ups
// in ordered trees; none scans. Not thread-safe: the owner locks.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "base/range.h"
#include "base/status.h"

namespace famfs {

class ExtentAllocator {
 public:
  /// All of [0, device_size rounded down to 2 MiB) is free at first. What lies
  /// beyond 4 EiB is not used.
  explicit ExtentAllocator(std::uint64_t device_size);

  /// Takes a given range (what the log says is used). InvalidArgument when not
  /// 2 MiB aligned or empty; OutOfRange beyond the device; AlreadyExists,
  /// naming the overlap, when any of it is taken.
  [[nodiscard]] absl::Status Take(Range range);

  /// Places `length` bytes (rounded up to 2 MiB). ResourceExhausted says how
  /// much was asked, is free, and is free in one piece; InvalidArgument for 0.
  absl::StatusOr<Range> Allocate(std::uint64_t length);

  /// Gives a taken range back and merges it with its neighbours. Internal if
  /// any of it is free already, or if it is no range of this device: a bug of
  /// ours, which is told, never repaired.
  [[nodiscard]] absl::Status Free(Range range);

  [[nodiscard]] std::uint64_t free_bytes() const { return free_bytes_; }
  [[nodiscard]] std::uint64_t largest_free() const;  // bytes, one extent
  /// Free extents, after merging.
  [[nodiscard]] std::size_t extent_count() const { return by_offset_.size(); }

 private:
  using OffsetMap = std::map<std::uint64_t, std::uint64_t>;
  using LengthSet = std::set<std::pair<std::uint64_t, std::uint64_t>>;

  void Insert(Range range);
  void Erase(OffsetMap::iterator it);
  /// Takes `taken` out of the free extent `it`, which contains it.
  void Carve(OffsetMap::iterator it, Range taken);

  std::uint64_t device_size_;  // bytes
  std::uint64_t free_bytes_ = 0;
  OffsetMap by_offset_;  // offset -> length
  LengthSet by_length_;  // length, offset
  /// Bytes from an extent's first 1 GiB boundary to its end, and its offset;
  /// only extents for which that is at least 1 GiB.
  LengthSet by_aligned_length_;
};

}  // namespace famfs
