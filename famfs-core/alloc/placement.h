// Where a file goes on the devices of an instance: in one extent, in several,
// or in strips (docs/format.md, "How files are placed"). The rules and limits
// of strips are upstream's. Deterministic: equal allocators and an equal
// request give an equal placement.
//
// The devices are given as their allocators, by device index; null is a device
// that the instance names and that is missing: nothing is placed there. The
// owner of the allocators locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "alloc/allocator.h"
#include "base/status.h"
#include "media/format.h"

namespace famfs {

inline constexpr std::uint32_t kMaxBuckets = 64;
inline constexpr std::uint64_t kMinBucketSize = 1ULL << 30;  // bytes

/// How a file is to lie on the devices of an instance.
struct PlacementRequest {
  std::uint64_t size = 0;       // bytes of the file, > 0
  std::size_t max_extents = 1;  // contiguous pieces, 1 to kMaxExtents
  std::uint32_t strips = 0;     // 0: contiguous; else 1 to kMaxStrips
  /// Bytes; a power of two, a multiple of 2 MiB. With strips alone.
  std::uint64_t chunk = 0;
  /// 0: one strip per device. Else the strips lie in as many of `buckets` equal
  /// parts of one device.
  std::uint32_t buckets = 0;
};

/// As a file entry names it.
struct Placement {
  std::uint64_t chunk = 0;           // bytes; 0: the extents follow each other
  std::vector<MediaExtent> extents;  // or strips
  bool operator==(const Placement&) const = default;
};

struct Room {
  std::uint64_t free = 0;     // bytes
  std::uint64_t largest = 0;  // bytes of one file, never more than free
  bool operator==(const Room&) const = default;
};

/// Whether the request keeps the rules on any state of an instance whose
/// devices, by index, have these bytes (missing ones too: give what the log
/// says). InvalidArgument names the rule: what Place would never do.
[[nodiscard]] absl::Status CheckPlacementRequest(
    const PlacementRequest& request, std::span<const std::uint64_t> devices);

/// Takes the extents of a new file.
///
/// Contiguous (strips 0, or a size below the chunk): one extent on the device
/// with the most free bytes of those that have room in one piece (the lowest
/// index among equals), placed by ExtentAllocator's rule; from 1 GiB on a
/// device that has room on a 1 GiB boundary comes before all that have not. If
/// no device has room in one piece and max_extents allows, the largest free
/// extents of all devices are taken whole, as few as possible, and what remains
/// as one extent by the rule above. The extents are ordered by device and
/// offset.
///
/// In strips: ceil(size / (strips x chunk)) chunks each, contiguous. Without
/// buckets: the devices with the most free bytes of those that have room for a
/// strip, one strip each. With buckets: on one device, the one with the most
/// free bytes of those that have room in enough buckets, in the buckets with
/// the largest free piece, one strip each. The first strip lies where most was
/// free, by index among equals. Bucket b covers [b x B, (b+1) x B), B being the
/// device's units divided by buckets, rounded down.
///
/// InvalidArgument as CheckPlacementRequest (a missing device counts as one
/// without bytes). ResourceExhausted names what was asked, is free and is the
/// largest for these parameters. After an error nothing is taken. The cost is a
/// few operations of ExtentAllocator per device, or per bucket.
absl::StatusOr<Placement> Place(std::span<ExtentAllocator* const> devices,
                                const PlacementRequest& request);

/// Frees what Place took. Internal, and nothing is changed, when an extent's
/// device is missing or any of it is free already.
[[nodiscard]] absl::Status GiveBack(std::span<ExtentAllocator* const> devices,
                                    const Placement& placement);

/// What Place could do for these parameters now (their size is not looked at).
///
/// largest: the largest multiple of 2 MiB that Place would take; it takes every
/// smaller size, too.
/// free: what volumes of these parameters could take together. Contiguous: the
/// free bytes of the devices that are there. In strips: the bytes of as many
/// files of one stripe (strips x chunk) as the whole chunks of free space
/// allow, in the best order; `largest` where not even one fits. A scan over the
/// free extents in this case.
///
/// {0, 0} for parameters that break a rule.
Room RoomFor(std::span<ExtentAllocator* const> devices,
             const PlacementRequest& parameters);

}  // namespace famfs
