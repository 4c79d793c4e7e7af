#include "alloc/allocator.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/units.h"
#include "media/format.h"

namespace famfs {
namespace {

using Extent = FreeMap::Extent;
using Unit = FreeMap::Unit;
static_assert(FreeMap::kLongUnits == kGiB / kAllocUnit);

/// So that every end is a Unit.
constexpr std::uint64_t kMaxDeviceSize =
    std::numeric_limits<Unit>::max() * kAllocUnit;

/// Takes one by one below this share of the free extents: taking all at once
/// goes over every free extent.
constexpr std::size_t kFewShare = 8;

Extent InUnits(Range range) {
  return {static_cast<Unit>(range.offset / kAllocUnit),
          static_cast<Unit>(range.length / kAllocUnit)};
}

Range InBytes(Extent extent) {
  return {extent.start * kAllocUnit, extent.length * kAllocUnit};
}

/// Whole units within the device, without trusting offset + length.
bool IsRange(Range range, std::uint64_t device_size) {
  return range.length != 0 && range.length % kAllocUnit == 0 &&
         range.offset % kAllocUnit == 0 && range.offset <= device_size &&
         range.length <= device_size - range.offset;
}

absl::Status CheckRange(Range range, std::uint64_t device_size) {
  if (IsRange(range, device_size)) return absl::OkStatus();
  if (range.length == 0 || range.length % kAllocUnit != 0 ||
      range.offset % kAllocUnit != 0) {
    return InvalidArgument(
        "range at {:#x} of {:#x} bytes is empty or not 2 MiB aligned",
        range.offset, range.length);
  }
  return OutOfRange(
      "range at {:#x} of {:#x} bytes is beyond the device's {:#x} bytes",
      range.offset, range.length, device_size);
}

absl::Status NoRoom(std::uint64_t length, std::uint64_t free,
                    std::uint64_t largest) {
  return ResourceExhausted("asked for {}, free are {}, in one piece {}",
                           FormatSize(length), FormatSize(free),
                           FormatSize(largest));
}

/// By the upper half, stable, in passes of 11 bits. std::sort alone takes three
/// times as long as all of TakeAll at a million ranges (row
/// take_all.a_range_vs_std_sort_alone of `tests/bench/run alloc`); as a sort,
/// Boost's pdqsort 1.5 to 2 times and spreadsort 2 to 2.8 times as long as
/// this.
void SortByUpperHalf(std::vector<std::uint64_t>& keys) {
  constexpr int kBits = 11;
  constexpr std::uint64_t kMask = (1U << kBits) - 1;
  std::uint64_t largest = 0;
  for (const std::uint64_t key : keys) largest |= key;
  std::vector<std::uint64_t> other(keys.size());
  for (int shift = 32; shift < 64 && largest >> shift != 0; shift += kBits) {
    std::array<std::size_t, kMask + 1> at{};
    for (const std::uint64_t key : keys) ++at[key >> shift & kMask];
    std::size_t sum = 0;
    for (std::size_t& count : at) sum += std::exchange(count, sum);
    for (const std::uint64_t key : keys)
      other[at[key >> shift & kMask]++] = key;
    keys.swap(other);
  }
}

/// `free` without `taken` (start << 32 | length, sorted); nullopt when `taken`
/// is not all free, or any of it twice.
std::optional<std::vector<Extent>> Without(
    const std::vector<Extent>& free, const std::vector<std::uint64_t>& taken) {
  std::vector<Extent> left;
  left.reserve(free.size() + taken.size());
  auto it = taken.begin();
  for (const Extent& extent : free) {
    Unit start = extent.start;
    for (; it != taken.end(); ++it) {
      const Extent range{static_cast<Unit>(*it >> 32), static_cast<Unit>(*it)};
      if (range.start >= extent.end()) break;
      if (range.start < start || range.end() > extent.end()) {
        return std::nullopt;
      }
      if (range.start > start) left.push_back({start, range.start - start});
      start = range.end();
    }
    if (start < extent.end()) left.push_back({start, extent.end() - start});
  }
  if (it != taken.end()) return std::nullopt;
  return left;
}

}  // namespace

ExtentAllocator::ExtentAllocator(std::uint64_t device_size)
    : device_size_(std::min(device_size, kMaxDeviceSize) / kAllocUnit *
                   kAllocUnit) {
  if (device_size_ != 0) free_.Assign({InUnits({0, device_size_})});
}

absl::Status ExtentAllocator::Take(Range range) {
  FAMFS_RETURN_IF_ERROR(CheckRange(range, device_size_));
  const auto taken = free_.Take(InUnits(range));
  if (!taken) return absl::OkStatus();
  const Range overlap = InBytes(*taken);
  return AlreadyExists(
      "range at {:#x} of {:#x} bytes overlaps what is in use at {:#x} of {:#x} "
      "bytes",
      range.offset, range.length, overlap.offset, overlap.length);
}

absl::Status ExtentAllocator::TakeAll(std::span<const Range> ranges,
                                      std::size_t* failed) {
  if (ranges.size() < free_.size() / kFewShare) {
    return TakeOneByOne(ranges, failed);
  }
  std::vector<std::uint64_t> keys;
  keys.reserve(ranges.size());
  bool sorted = true;
  for (const Range& range : ranges) {
    if (!IsRange(range, device_size_)) return TakeOneByOne(ranges, failed);
    const Extent extent = InUnits(range);
    const std::uint64_t key = std::uint64_t{extent.start} << 32 | extent.length;
    sorted = sorted && (keys.empty() || keys.back() <= key);
    keys.push_back(key);
  }
  if (!sorted) SortByUpperHalf(keys);
  const auto left = Without(free_.All(), keys);
  if (!left) return TakeOneByOne(ranges, failed);
  free_.Assign(*left);
  return absl::OkStatus();
}

absl::Status ExtentAllocator::TakeOneByOne(std::span<const Range> ranges,
                                           std::size_t* failed) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    absl::Status status = Take(ranges[i]);
    if (status.ok()) continue;
    if (failed != nullptr) *failed = i;
    while (i-- > 0) free_.Free(InUnits(ranges[i]));
    return status;
  }
  return absl::OkStatus();
}

Range ExtentAllocator::TakeFound(Extent found) {
  free_.Take(found);
  return InBytes(found);
}

absl::StatusOr<Range> ExtentAllocator::Allocate(std::uint64_t length) {
  if (length == 0) return InvalidArgument("cannot allocate 0 bytes");
  if (length <= device_size_) {
    const Unit units = InUnits({0, RoundUp(length, kAllocUnit)}).length;
    if (units >= FreeMap::kLongUnits) {
      if (const auto found = free_.BestAligned(units)) return TakeFound(*found);
    }
    if (const auto found = free_.BestFit(units)) {
      return TakeFound({found->start, units});
    }
  }
  return NoRoom(length, free_bytes(), largest_free());
}

absl::StatusOr<Range> ExtentAllocator::AllocateIn(Range window,
                                                  std::uint64_t length) {
  if (length == 0) return InvalidArgument("cannot allocate 0 bytes");
  FAMFS_RETURN_IF_ERROR(CheckRange(window, device_size_));
  if (length <= window.length) {
    const Extent within = InUnits(window);
    const Unit units = InUnits({0, RoundUp(length, kAllocUnit)}).length;
    if (units >= FreeMap::kLongUnits) {
      if (const auto found = free_.BestAlignedIn(within, units)) {
        return TakeFound(*found);
      }
    }
    if (const auto found = free_.BestFitIn(within, units)) {
      return TakeFound({found->start, units});
    }
  }
  return ResourceExhausted(
      "asked for {} between {:#x} and {:#x}, where {} are free in one piece",
      FormatSize(length), window.offset, window.end(),
      FormatSize(LargestIn(window)));
}

absl::Status ExtentAllocator::Free(Range range) {
  if (const absl::Status status = CheckRange(range, device_size_);
      !status.ok()) {
    return Internal("cannot free: {}", Message(status));
  }
  const auto overlap = free_.Free(InUnits(range));
  if (!overlap) return absl::OkStatus();
  const Range other = InBytes(*overlap);
  return Internal(
      "cannot free {:#x} of {:#x} bytes: free already are {:#x} of {:#x} bytes",
      range.offset, range.length, other.offset, other.length);
}

std::uint64_t ExtentAllocator::free_bytes() const {
  return free_.units() * kAllocUnit;
}

std::uint64_t ExtentAllocator::largest_free() const {
  return free_.Longest() * kAllocUnit;
}

std::uint64_t ExtentAllocator::LargestIn(Range window) const {
  if (!IsRange(window, device_size_)) return 0;
  return free_.LongestIn(InUnits(window)) * kAllocUnit;
}

std::uint64_t ExtentAllocator::largest_aligned() const {
  return free_.LongestAligned() * kAllocUnit;
}

std::vector<Range> ExtentAllocator::LargestExtents(std::size_t count) const {
  std::vector<Range> extents;
  for (const Extent& extent : free_.TheLongest(count)) {
    extents.push_back(InBytes(extent));
  }
  return extents;
}

std::vector<Range> ExtentAllocator::FreeExtents() const {
  std::vector<Range> extents;
  extents.reserve(free_.size());
  for (const Extent& extent : free_.All()) extents.push_back(InBytes(extent));
  return extents;
}

}  // namespace famfs
