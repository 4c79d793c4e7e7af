#include "alloc/allocator.h"

#include <algorithm>
#include <iterator>

#include "base/units.h"
#include "media/format.h"

namespace famfs {
namespace {

/// So that no rounding up can overflow.
constexpr std::uint64_t kMaxDeviceSize = 1ULL << 62;

/// Bytes of `range` from its first 1 GiB boundary on; 0 when it has none.
std::uint64_t AlignedLength(Range range) {
  const std::uint64_t start = RoundUp(range.offset, kGiB);
  return start < range.end() ? range.end() - start : 0;
}

/// Whole units within the device, without trusting offset + length.
absl::Status CheckRange(Range range, std::uint64_t device_size) {
  if (range.length == 0 || range.length % kAllocUnit != 0 ||
      range.offset % kAllocUnit != 0) {
    return InvalidArgument(
        "range at {:#x} of {:#x} bytes is empty or not 2 MiB aligned",
        range.offset, range.length);
  }
  if (range.offset > device_size || range.length > device_size - range.offset) {
    return OutOfRange(
        "range at {:#x} of {:#x} bytes is beyond the device's {:#x} bytes",
        range.offset, range.length, device_size);
  }
  return absl::OkStatus();
}

}  // namespace

ExtentAllocator::ExtentAllocator(std::uint64_t device_size)
    : device_size_(std::min(device_size, kMaxDeviceSize) / kAllocUnit *
                   kAllocUnit) {
  if (device_size_ != 0) Insert({0, device_size_});
}

absl::Status ExtentAllocator::Take(Range range) {
  FAMFS_RETURN_IF_ERROR(CheckRange(range, device_size_));
  const auto next = by_offset_.upper_bound(range.offset);
  std::uint64_t taken = range.offset;  // the first byte that is not free
  if (next != by_offset_.begin()) {
    const auto it = std::prev(next);
    const std::uint64_t free_end = it->first + it->second;
    if (free_end >= range.end()) {
      Carve(it, range);
      return absl::OkStatus();
    }
    taken = std::max(taken, free_end);
  }
  const std::uint64_t taken_end = next == by_offset_.end()
                                      ? range.end()
                                      : std::min(next->first, range.end());
  return AlreadyExists(
      "range at {:#x} of {:#x} bytes overlaps what is in use at {:#x} of {:#x} "
      "bytes",
      range.offset, range.length, taken, taken_end - taken);
}

absl::StatusOr<Range> ExtentAllocator::Allocate(std::uint64_t length) {
  if (length == 0) return InvalidArgument("cannot allocate 0 bytes");
  const auto no_room = [&] {
    return ResourceExhausted("asked for {}, free are {}, in one piece {}",
                             FormatSize(length), FormatSize(free_bytes_),
                             FormatSize(largest_free()));
  };
  if (length > device_size_) return no_room();
  const std::uint64_t rounded = RoundUp(length, kAllocUnit);
  if (rounded >= kGiB) {
    if (const auto fit = by_aligned_length_.lower_bound({rounded, 0});
        fit != by_aligned_length_.end()) {
      const auto it = by_offset_.find(fit->second);
      const Range range{RoundUp(it->first, kGiB), rounded};
      Carve(it, range);
      return range;
    }
  }
  const auto fit = by_length_.lower_bound({rounded, 0});
  if (fit == by_length_.end()) return no_room();
  const Range range{fit->second, rounded};
  Carve(by_offset_.find(fit->second), range);
  return range;
}

absl::Status ExtentAllocator::Free(Range range) {
  if (const absl::Status status = CheckRange(range, device_size_);
      !status.ok()) {
    return Internal("cannot free: {}", Message(status));
  }
  const auto next = by_offset_.lower_bound(range.offset);
  const auto before =
      next == by_offset_.begin() ? by_offset_.end() : std::prev(next);
  const bool overlaps_next =
      next != by_offset_.end() && next->first < range.end();
  const bool overlaps_before = before != by_offset_.end() &&
                               before->first + before->second > range.offset;
  if (overlaps_next || overlaps_before) {
    const auto other = overlaps_before ? before : next;
    return Internal(
        "cannot free {:#x} of {:#x} bytes: free already are {:#x} of {:#x} "
        "bytes",
        range.offset, range.length, other->first, other->second);
  }
  if (next != by_offset_.end() && next->first == range.end()) {
    range.length += next->second;
    Erase(next);
  }
  if (before != by_offset_.end() &&
      before->first + before->second == range.offset) {
    range = {before->first, before->second + range.length};
    Erase(before);
  }
  Insert(range);
  return absl::OkStatus();
}

std::uint64_t ExtentAllocator::largest_free() const {
  return by_length_.empty() ? 0 : by_length_.rbegin()->first;
}

void ExtentAllocator::Insert(Range range) {
  by_offset_.emplace(range.offset, range.length);
  by_length_.emplace(range.length, range.offset);
  if (const std::uint64_t aligned = AlignedLength(range); aligned >= kGiB) {
    by_aligned_length_.emplace(aligned, range.offset);
  }
  free_bytes_ += range.length;
}

void ExtentAllocator::Erase(OffsetMap::iterator it) {
  const Range range{it->first, it->second};
  by_aligned_length_.erase({AlignedLength(range), range.offset});
  by_length_.erase({range.length, range.offset});
  by_offset_.erase(it);
  free_bytes_ -= range.length;
}

void ExtentAllocator::Carve(OffsetMap::iterator it, Range taken) {
  const Range whole{it->first, it->second};
  Erase(it);
  if (taken.offset > whole.offset) {
    Insert({whole.offset, taken.offset - whole.offset});
  }
  if (taken.end() < whole.end()) {
    Insert({taken.end(), whole.end() - taken.end()});
  }
}

}  // namespace famfs
