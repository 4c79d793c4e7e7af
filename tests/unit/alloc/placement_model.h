// What placement has to do, told by a model too simple to be wrong: one flag
// per unit of each device, and every question answered by a scan.
#pragma once

#include <cstdint>
#include <vector>

#include "alloc/placement.h"
#include "base/range.h"
#include "media/format.h"

namespace famfs {

inline constexpr std::uint64_t kUnit = kAllocUnit;

/// Devices as flags: true is used. No units: the device is missing.
using Bitmap = std::vector<bool>;
using Bitmaps = std::vector<Bitmap>;

/// Free runs of [first, end), in units, cut off at both.
std::vector<Range> RunsIn(const Bitmap& device, std::uint64_t first,
                          std::uint64_t end);
/// Whether a file of `size` bytes can be placed so; `request.size` is not
/// looked at.
bool CanPlace(const Bitmaps& devices, const PlacementRequest& request,
              std::uint64_t size);
/// Room::free of these parameters, given that `largest` fits.
std::uint64_t FreeFor(const Bitmaps& devices, const PlacementRequest& request,
                      std::uint64_t largest);
/// The fewest extents that hold `size` bytes; 0: none do.
std::size_t FewestExtents(const Bitmaps& devices, std::uint64_t size);
/// Whether some device has `units` free units on a 1 GiB boundary.
bool HasAligned(const Bitmaps& devices, std::uint64_t units);
/// Flags the placement's extents; false, and nothing is changed, when any is
/// not free, not on a unit, or beyond its device.
bool Mark(Bitmaps& devices, const Placement& placement);
void Unmark(Bitmaps& devices, const Placement& placement);

}  // namespace famfs
