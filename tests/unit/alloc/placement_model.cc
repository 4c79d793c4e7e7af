#include "tests/unit/alloc/placement_model.h"

#include <algorithm>
#include <functional>

#include "base/units.h"

namespace famfs {
namespace {

std::vector<std::uint64_t> SortedLengths(const std::vector<Range>& runs) {
  std::vector<std::uint64_t> lengths;
  for (const Range& run : runs) lengths.push_back(run.length);
  std::sort(lengths.begin(), lengths.end(), std::greater<>());
  return lengths;
}

std::vector<std::uint64_t> AllLengths(const Bitmaps& devices) {
  std::vector<std::uint64_t> lengths;
  for (const Bitmap& device : devices) {
    for (const Range& run : RunsIn(device, 0, device.size())) {
      lengths.push_back(run.length);
    }
  }
  std::sort(lengths.begin(), lengths.end(), std::greater<>());
  return lengths;
}

/// The free runs of each site of which a file in strips uses one each: groups
/// of sites, a file lying in one group.
std::vector<std::vector<std::vector<Range>>> Groups(
    const Bitmaps& devices, const PlacementRequest& request) {
  std::vector<std::vector<std::vector<Range>>> groups;
  if (request.buckets == 0) {
    groups.emplace_back();
    for (const Bitmap& device : devices) {
      groups.back().push_back(RunsIn(device, 0, device.size()));
    }
    return groups;
  }
  for (const Bitmap& device : devices) {
    const std::uint64_t units = device.size() / request.buckets;
    if (device.size() * kUnit / request.buckets < kGiB) continue;
    groups.emplace_back();
    for (std::uint64_t b = 0; b < request.buckets; ++b) {
      groups.back().push_back(RunsIn(device, b * units, (b + 1) * units));
    }
  }
  return groups;
}

}  // namespace

std::vector<Range> RunsIn(const Bitmap& device, std::uint64_t first,
                          std::uint64_t end) {
  std::vector<Range> runs;
  for (std::uint64_t i = first; i < end; ++i) {
    if (device[i]) continue;
    if (runs.empty() || runs.back().end() != i) runs.push_back({i, 0});
    ++runs.back().length;
  }
  return runs;
}

bool CanPlace(const Bitmaps& devices, const PlacementRequest& request,
              std::uint64_t size) {
  if (request.strips == 0 || size < request.chunk) {
    const std::size_t fewest = FewestExtents(devices, size);
    return fewest != 0 && fewest <= request.max_extents;
  }
  const std::uint64_t stripes =
      (size - 1) / (request.strips * request.chunk) + 1;
  for (const auto& sites : Groups(devices, request)) {
    const auto fits = [&](const std::vector<Range>& runs) {
      const auto lengths = SortedLengths(runs);
      return !lengths.empty() && lengths[0] * kUnit >= stripes * request.chunk;
    };
    if (std::count_if(sites.begin(), sites.end(), fits) >=
        static_cast<std::ptrdiff_t>(request.strips)) {
      return true;
    }
  }
  return false;
}

std::uint64_t FreeFor(const Bitmaps& devices, const PlacementRequest& request,
                      std::uint64_t largest) {
  std::uint64_t free = 0;
  if (request.strips == 0) {
    for (const std::uint64_t length : AllLengths(devices)) free += length;
    return free * kUnit;
  }
  for (const auto& sites : Groups(devices, request)) {
    std::vector<std::uint64_t> chunks;
    for (const auto& runs : sites) {
      chunks.push_back(0);
      for (const Range& run : runs) {
        chunks.back() += run.length * kUnit / request.chunk;
      }
    }
    // One stripe after another, each from where most is left.
    while (chunks.size() >= request.strips) {
      std::sort(chunks.begin(), chunks.end(), std::greater<>());
      if (chunks[request.strips - 1] == 0) break;
      for (std::uint32_t i = 0; i < request.strips; ++i) --chunks[i];
      free += request.strips * request.chunk;
    }
  }
  return free == 0 ? largest : free;
}

std::size_t FewestExtents(const Bitmaps& devices, std::uint64_t size) {
  std::uint64_t sum = 0;
  std::size_t count = 0;
  for (const std::uint64_t length : AllLengths(devices)) {
    sum += length * kUnit;
    ++count;
    if (sum >= size) return count;
  }
  return 0;
}

bool HasAligned(const Bitmaps& devices, std::uint64_t units) {
  constexpr std::uint64_t kUnitsPerGib = kGiB / kUnit;
  for (const Bitmap& device : devices) {
    for (const Range& run : RunsIn(device, 0, device.size())) {
      if (RoundUp(run.offset, kUnitsPerGib) + units <= run.end()) return true;
    }
  }
  return false;
}

bool Mark(Bitmaps& devices, const Placement& placement) {
  Bitmaps marked = devices;
  for (const MediaExtent& extent : placement.extents) {
    if (extent.device_index >= devices.size() || extent.length == 0 ||
        extent.offset % kUnit != 0 || extent.length % kUnit != 0) {
      return false;
    }
    Bitmap& device = marked[extent.device_index];
    for (std::uint64_t at = extent.offset; at < extent.offset + extent.length;
         at += kUnit) {
      if (at / kUnit >= device.size() || device[at / kUnit]) return false;
      device[at / kUnit] = true;
    }
  }
  devices = std::move(marked);
  return true;
}

void Unmark(Bitmaps& devices, const Placement& placement) {
  for (const MediaExtent& extent : placement.extents) {
    for (std::uint64_t i = 0; i < extent.length / kUnit; ++i) {
      devices[extent.device_index][extent.offset / kUnit + i] = false;
    }
  }
}

}  // namespace famfs
