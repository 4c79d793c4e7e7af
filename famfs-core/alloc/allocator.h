// Which extents of one device are free. 2 MiB units, cost logarithmic in the
// number of free extents and independent of the device's size.
//
// Contiguous placement: the smallest free extent that holds the request (lowest
// offset among equals), at its start; a request of 1 GiB or more is placed on a
// 1 GiB boundary when some free extent can hold it so, because the kernel can
// then map it with 1 GiB entries. Among those extents the one is taken that has
// the least room from its first boundary on. Every operation is a few look-ups
// in trees (free_map.h); none scans. A file's extents over several
// devices are placed by placement.h. Copyable. Not thread-safe: the owner
// locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "alloc/free_map.h"
#include "base/range.h"
#include "base/status.h"

namespace famfs {

class ExtentAllocator {
 public:
  /// All of [0, device_size rounded down to 2 MiB) is free at first. What lies
  /// beyond 8 PiB is not used: no processor addresses it.
  explicit ExtentAllocator(std::uint64_t device_size);

  /// Takes a given range (what the log says is used). InvalidArgument when not
  /// 2 MiB aligned or empty; OutOfRange beyond the device; AlreadyExists,
  /// naming the overlap, when any of it is taken.
  [[nodiscard]] absl::Status Take(Range range);

  /// Takes all of `ranges`, in any order: for playing a log. The same as one
  /// Take after another, in less than a tenth of the time when they are many
  /// (15 ns a range of a million), except that after an error nothing is taken;
  /// the error is that of the first range, in the order given, that Take would
  /// refuse, and `failed` (if not null) becomes its index. An error costs as
  /// much as the Takes do.
  [[nodiscard]] absl::Status TakeAll(std::span<const Range> ranges,
                                     std::size_t* failed = nullptr);

  /// Places `length` bytes (rounded up to 2 MiB). ResourceExhausted says how
  /// much was asked, is free, and is free in one piece; InvalidArgument for 0.
  absl::StatusOr<Range> Allocate(std::uint64_t length);
  /// The same by the same rules in what is free of `window` (2 MiB aligned,
  /// within the device, else InvalidArgument or OutOfRange). Costs more by a
  /// look-up for each length below 1 GiB that some free extent has, and a step
  /// for each free extent of 1 GiB or more in the window.
  absl::StatusOr<Range> AllocateIn(Range window, std::uint64_t length);

  /// Gives a taken range back and merges it with its neighbours. Internal if
  /// any of it is free already, or if it is no range of this device: a bug of
  /// ours, which is told, never repaired.
  [[nodiscard]] absl::Status Free(Range range);

  /// Bytes that can be allocated at all: the size given, rounded down.
  [[nodiscard]] std::uint64_t device_size() const { return device_size_; }
  [[nodiscard]] std::uint64_t free_bytes() const;
  [[nodiscard]] std::uint64_t largest_free() const;  // bytes, one extent
  /// The same of what is free of `window`; 0 for a window that AllocateIn
  /// refuses.
  [[nodiscard]] std::uint64_t LargestIn(Range window) const;
  /// Bytes of the largest request that would be placed on a 1 GiB boundary; 0
  /// if not even 1 GiB.
  [[nodiscard]] std::uint64_t largest_aligned() const;
  /// Free extents, after merging.
  [[nodiscard]] std::size_t extent_count() const { return free_.size(); }
  /// Up to `count` free extents, the largest first, by offset among equals.
  [[nodiscard]] std::vector<Range> LargestExtents(std::size_t count) const;
  /// All free extents by offset: a scan.
  [[nodiscard]] std::vector<Range> FreeExtents() const;

 private:
  absl::Status TakeOneByOne(std::span<const Range> ranges, std::size_t* failed);
  /// Takes what a placement found.
  Range TakeFound(FreeMap::Extent found);

  std::uint64_t device_size_;  // bytes
  FreeMap free_;
};

}  // namespace famfs
