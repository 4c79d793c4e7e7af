#include "alloc/placement.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>

#include "base/units.h"

namespace famfs {
namespace {

using Devices = std::span<ExtentAllocator* const>;

/// A device, or a bucket of one, in the order in which they are chosen.
struct Site {
  std::uint64_t index = 0;   // of the device or the bucket
  std::uint64_t weight = 0;  // the more, the sooner
  bool operator<(const Site& other) const {
    return weight != other.weight ? weight > other.weight : index < other.index;
  }
};

/// Sites of the devices that are there and `has_room`, the freest first.
template <typename HasRoom>
std::vector<Site> DevicesWith(Devices devices, HasRoom has_room) {
  std::vector<Site> sites;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i] != nullptr && has_room(*devices[i])) {
      sites.push_back({i, devices[i]->free_bytes()});
    }
  }
  std::sort(sites.begin(), sites.end());
  return sites;
}

std::vector<std::uint64_t> SizesOf(Devices devices) {
  std::vector<std::uint64_t> sizes;
  for (const ExtentAllocator* device : devices) {
    sizes.push_back(device == nullptr ? 0 : device->device_size());
  }
  return sizes;
}

// Buckets of one device.

Range BucketOf(const ExtentAllocator& device, std::uint64_t bucket,
               std::uint32_t buckets) {
  const std::uint64_t length =
      device.device_size() / kAllocUnit / buckets * kAllocUnit;
  return {bucket * length, length};
}

bool IsLargeEnough(std::uint64_t device_size, std::uint32_t buckets) {
  return device_size / buckets >= kMinBucketSize;
}

/// The buckets of a device, the one with the largest free piece first.
std::vector<Site> BucketsOf(const ExtentAllocator& device,
                            std::uint32_t buckets) {
  std::vector<Site> sites;
  for (std::uint32_t i = 0; i < buckets; ++i) {
    sites.push_back({i, device.LargestIn(BucketOf(device, i, buckets))});
  }
  std::sort(sites.begin(), sites.end());
  return sites;
}

/// The longest strip of which one fits in each of `strips` buckets, in bytes.
std::uint64_t LongestStripIn(const ExtentAllocator& device,
                             const PlacementRequest& request) {
  if (!IsLargeEnough(device.device_size(), request.buckets)) return 0;
  return BucketsOf(device, request.buckets)[request.strips - 1].weight;
}

// Contiguous files.

/// One extent of `length` bytes (a multiple of 2 MiB).
std::optional<MediaExtent> TakeOnePiece(Devices devices, std::uint64_t length) {
  std::vector<Site> sites;
  if (length >= kGiB) {
    sites = DevicesWith(devices, [&](const ExtentAllocator& device) {
      return device.largest_aligned() >= length;
    });
  }
  if (sites.empty()) {
    sites = DevicesWith(devices, [&](const ExtentAllocator& device) {
      return device.largest_free() >= length;
    });
  }
  if (sites.empty()) return std::nullopt;
  const std::uint64_t index = sites.front().index;
  const auto range = devices[index]->Allocate(length);
  if (!range.ok()) return std::nullopt;
  return MediaExtent{index, range->offset, range->length};
}

/// The largest free extents of all devices, the largest first.
std::vector<MediaExtent> LargestPieces(Devices devices, std::size_t count) {
  std::vector<MediaExtent> pieces;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i] == nullptr) continue;
    for (const Range& range : devices[i]->LargestExtents(count)) {
      pieces.push_back({i, range.offset, range.length});
    }
  }
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const MediaExtent& a, const MediaExtent& b) {
                     return a.length > b.length;
                   });
  if (pieces.size() > count) pieces.resize(count);
  return pieces;
}

std::uint64_t SumOf(std::span<const MediaExtent> extents) {
  return std::accumulate(
      extents.begin(), extents.end(), std::uint64_t{0},
      [](std::uint64_t sum, const MediaExtent& e) { return sum + e.length; });
}

/// False, and nothing is taken, when `max_extents` pieces do not suffice.
bool TakeInPieces(Devices devices, std::uint64_t length,
                  std::size_t max_extents, std::vector<MediaExtent>& extents) {
  const auto pieces = LargestPieces(devices, max_extents);
  if (SumOf(pieces) < length) return false;
  for (const MediaExtent& piece : pieces) {
    if (piece.length >= length) break;
    IgnoreError(devices[piece.device_index]->Take({piece.offset, piece.length}),
                "it was free a moment ago");
    extents.push_back(piece);
    length -= piece.length;
  }
  if (const auto rest = TakeOnePiece(devices, length)) extents.push_back(*rest);
  std::sort(extents.begin(), extents.end(),
            [](const MediaExtent& a, const MediaExtent& b) {
              return std::pair{a.device_index, a.offset} <
                     std::pair{b.device_index, b.offset};
            });
  return true;
}

bool TakeContiguous(Devices devices, const PlacementRequest& request,
                    std::vector<MediaExtent>& extents) {
  const std::uint64_t length = RoundUp(request.size, kAllocUnit);
  if (const auto extent = TakeOnePiece(devices, length)) {
    extents.push_back(*extent);
    return true;
  }
  return request.max_extents > 1 &&
         TakeInPieces(devices, length, request.max_extents, extents);
}

// Files in strips.

std::uint64_t StripLength(const PlacementRequest& request) {
  const std::uint64_t stripe = request.strips * request.chunk;
  return (request.size + stripe - 1) / stripe * request.chunk;
}

bool TakeInBuckets(Devices devices, const PlacementRequest& request,
                   std::vector<MediaExtent>& extents) {
  const std::uint64_t length = StripLength(request);
  const auto sites = DevicesWith(devices, [&](const ExtentAllocator& device) {
    return LongestStripIn(device, request) >= length;
  });
  if (sites.empty()) return false;
  const std::uint64_t index = sites.front().index;
  ExtentAllocator& device = *devices[index];
  auto buckets = BucketsOf(device, request.buckets);
  buckets.resize(request.strips);
  for (const Site& bucket : buckets) {
    const auto range = device.AllocateIn(
        BucketOf(device, bucket.index, request.buckets), length);
    if (!range.ok()) return false;
    extents.push_back({index, range->offset, range->length});
  }
  return true;
}

bool TakeOnDevices(Devices devices, const PlacementRequest& request,
                   std::vector<MediaExtent>& extents) {
  const std::uint64_t length = StripLength(request);
  auto sites = DevicesWith(devices, [&](const ExtentAllocator& device) {
    return device.largest_free() >= length;
  });
  if (sites.size() < request.strips) return false;
  sites.resize(request.strips);
  for (const Site& site : sites) {
    const auto range = devices[site.index]->Allocate(length);
    if (!range.ok()) return false;
    extents.push_back({site.index, range->offset, range->length});
  }
  return true;
}

// How much there is room for.

std::uint64_t FreeBytes(Devices devices) {
  std::uint64_t free = 0;
  for (const ExtentAllocator* device : devices) {
    if (device != nullptr) free += device->free_bytes();
  }
  return free;
}

std::uint64_t LargestContiguous(Devices devices, std::size_t max_extents) {
  return SumOf(LargestPieces(devices, max_extents));
}

/// How many sets of `strips` chunks, each chunk of another site, there are.
std::uint64_t CountStripes(std::span<const std::uint64_t> chunks,
                           std::uint32_t strips) {
  std::uint64_t low = 0;
  std::uint64_t high =
      std::accumulate(chunks.begin(), chunks.end(), std::uint64_t{0}) / strips;
  while (low < high) {
    const std::uint64_t count = low + (high - low + 1) / 2;
    std::uint64_t usable = 0;  // a site gives each stripe one chunk at most
    for (const std::uint64_t of_site : chunks) {
      usable += std::min(of_site, count);
    }
    if (usable / strips >= count) {
      low = count;
    } else {
      high = count - 1;
    }
  }
  return low;
}

std::uint64_t StripesInBuckets(const ExtentAllocator& device,
                               const PlacementRequest& request) {
  if (!IsLargeEnough(device.device_size(), request.buckets)) return 0;
  const std::uint64_t length = BucketOf(device, 0, request.buckets).length;
  std::vector<std::uint64_t> chunks(request.buckets);
  for (const Range& extent : device.FreeExtents()) {
    for (std::uint64_t at = extent.offset; at < extent.end();) {
      const std::uint64_t bucket = at / length;
      if (bucket >= request.buckets) break;
      const std::uint64_t end = std::min(extent.end(), (bucket + 1) * length);
      chunks[bucket] += (end - at) / request.chunk;
      at = end;
    }
  }
  return CountStripes(chunks, request.strips);
}

std::uint64_t StripesOnDevices(Devices devices,
                               const PlacementRequest& request) {
  std::vector<std::uint64_t> chunks;
  for (const ExtentAllocator* device : devices) {
    if (device == nullptr) continue;
    chunks.push_back(0);
    for (const Range& extent : device->FreeExtents()) {
      chunks.back() += extent.length / request.chunk;
    }
  }
  return CountStripes(chunks, request.strips);
}

/// The longest strip that Place could take, in bytes.
std::uint64_t LongestStrip(Devices devices, const PlacementRequest& request) {
  std::vector<std::uint64_t> lengths;
  for (const ExtentAllocator* device : devices) {
    if (device == nullptr) continue;
    lengths.push_back(request.buckets == 0 ? device->largest_free()
                                           : LongestStripIn(*device, request));
  }
  std::sort(lengths.rbegin(), lengths.rend());
  const std::size_t at = request.buckets == 0 ? request.strips - 1 : 0;
  return at < lengths.size() ? lengths[at] : 0;
}

Room RoomInStrips(Devices devices, const PlacementRequest& request) {
  const std::uint64_t stripe = request.strips * request.chunk;
  const std::uint64_t longest =
      LongestStrip(devices, request) / request.chunk * stripe;
  if (longest == 0) {
    // Nothing but what is smaller than a chunk, and so contiguous.
    const std::uint64_t piece =
        std::min(LargestContiguous(devices, request.max_extents),
                 request.chunk - kAllocUnit);
    return {piece, piece};
  }
  std::uint64_t stripes = 0;
  if (request.buckets == 0) {
    stripes = StripesOnDevices(devices, request);
  } else {
    for (const ExtentAllocator* device : devices) {
      if (device != nullptr) stripes += StripesInBuckets(*device, request);
    }
  }
  return {stripes * stripe, longest};
}

absl::Status NoRoom(Devices devices, const PlacementRequest& request) {
  const Room room = RoomFor(devices, request);
  if (request.strips == 0) {
    return ResourceExhausted(
        "asked for {} in at most {} extents, free are {}, the largest file "
        "that fits has {}",
        FormatSize(request.size), request.max_extents, FormatSize(room.free),
        FormatSize(room.largest));
  }
  return ResourceExhausted(
      "asked for {} in {} strips of {} chunks over {}, free for that are {}, "
      "the largest file that fits has {}",
      FormatSize(request.size), request.strips, FormatSize(request.chunk),
      request.buckets == 0 ? "devices"
                           : fmt::format("{} buckets", request.buckets),
      FormatSize(room.free), FormatSize(room.largest));
}

absl::Status CheckStrips(const PlacementRequest& request,
                         std::span<const std::uint64_t> devices) {
  if (request.strips > kMaxStrips) {
    return InvalidArgument("{} strips: there are 1 to {} of a file",
                           request.strips, kMaxStrips);
  }
  if (!std::has_single_bit(request.chunk) || request.chunk % kAllocUnit != 0) {
    return InvalidArgument(
        "a chunk of {} bytes: it has to be a power of two and at least 2 MiB",
        request.chunk);
  }
  if (request.buckets == 0) {
    if (request.strips <= devices.size()) return absl::OkStatus();
    return InvalidArgument(
        "{} strips on {} devices: each strip lies on another device (or in "
        "another bucket of one device, if buckets are given)",
        request.strips, devices.size());
  }
  if (request.buckets > kMaxBuckets) {
    return InvalidArgument("{} buckets: there are at most {}", request.buckets,
                           kMaxBuckets);
  }
  if (request.strips > request.buckets) {
    return InvalidArgument(
        "{} strips in {} buckets: each strip lies in another bucket",
        request.strips, request.buckets);
  }
  const std::uint64_t largest =
      devices.empty() ? 0 : *std::max_element(devices.begin(), devices.end());
  if (!IsLargeEnough(largest, request.buckets)) {
    return InvalidArgument(
        "{} buckets on a device of {}: a bucket has at least 1 GiB",
        request.buckets, FormatSize(largest));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPlacementRequest(const PlacementRequest& request,
                                   std::span<const std::uint64_t> devices) {
  if (request.size == 0) {
    return InvalidArgument("a file of 0 bytes: it has to have one at least");
  }
  if (request.max_extents == 0 || request.max_extents > kMaxExtents) {
    return InvalidArgument("at most {} extents: that has to be 1 to {}",
                           request.max_extents, kMaxExtents);
  }
  if (request.strips != 0) return CheckStrips(request, devices);
  if (request.chunk != 0 || request.buckets != 0) {
    return InvalidArgument(
        "a chunk of {} bytes and {} buckets without strips: give strips, or "
        "neither",
        request.chunk, request.buckets);
  }
  return absl::OkStatus();
}

absl::StatusOr<Placement> Place(Devices devices,
                                const PlacementRequest& request) {
  FAMFS_RETURN_IF_ERROR(CheckPlacementRequest(request, SizesOf(devices)));
  // More than there is; before any rounding up that could overflow.
  if (request.size > FreeBytes(devices)) return NoRoom(devices, request);
  Placement placement;
  const bool in_strips = request.strips != 0 && request.size >= request.chunk;
  bool taken = false;
  if (!in_strips) {
    taken = TakeContiguous(devices, request, placement.extents);
  } else {
    placement.chunk = request.chunk;
    taken = request.buckets != 0
                ? TakeInBuckets(devices, request, placement.extents)
                : TakeOnDevices(devices, request, placement.extents);
  }
  if (taken) return placement;
  IgnoreError(GiveBack(devices, placement), "it was taken just now");
  return NoRoom(devices, request);
}

absl::Status GiveBack(Devices devices, const Placement& placement) {
  for (std::size_t i = 0; i < placement.extents.size(); ++i) {
    const auto [index, offset, length] = placement.extents[i];
    absl::Status status =
        index >= devices.size() || devices[index] == nullptr
            ? Internal(
                  "cannot free {:#x} of {:#x} bytes: device {} is not "
                  "there",
                  offset, length, index)
            : devices[index]->Free({offset, length});
    if (status.ok()) continue;
    while (i-- > 0) {
      const auto [device, at, bytes] = placement.extents[i];
      IgnoreError(devices[device]->Take({at, bytes}), "it was freed just now");
    }
    return status;
  }
  return absl::OkStatus();
}

Room RoomFor(Devices devices, const PlacementRequest& parameters) {
  PlacementRequest request = parameters;
  request.size = 1;
  if (!CheckPlacementRequest(request, SizesOf(devices)).ok()) return {};
  if (request.strips != 0) return RoomInStrips(devices, request);
  return {FreeBytes(devices), LargestContiguous(devices, request.max_extents)};
}

}  // namespace famfs
