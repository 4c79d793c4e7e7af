#include "instance/devices/memory_source.h"

#include <algorithm>
#include <map>

#include "base/units.h"

namespace famfs {
namespace {

/// A file system with its devices.
struct FileSystem {
  std::vector<std::size_t> devices;
  std::uint64_t free = 0;      // bytes that it can give
  std::uint64_t owed = 0;      // bytes, to what is taken on its devices
  std::uint64_t unplaced = 0;  // bytes that are free on its devices

  void Add(std::size_t device, const Backing& backing,
           std::uint64_t free_on_it) {
    devices.push_back(device);
    free = backing.free;
    owed += backing.owed;
    unplaced += free_on_it;
  }
  [[nodiscard]] std::uint64_t left() const {
    return free - std::min(free, owed);
  }
};

std::uint64_t FreeOn(const MemorySource& source,
                     std::span<const ExtentAllocator* const> allocators) {
  std::uint64_t free = 0;
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    if (source.devices[i]) free += allocators[i]->free_bytes();
  }
  return free;
}

std::vector<ExtentAllocator*> OfSource(
    const MemorySource& source, std::span<ExtentAllocator* const> allocators) {
  std::vector<ExtentAllocator*> own(allocators.size(), nullptr);
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (source.devices[i]) own[i] = allocators[i];
  }
  return own;
}

bool Allows(std::span<ExtentAllocator* const> devices,
            const PlacementRequest& request) {
  std::vector<std::uint64_t> sizes;
  for (const ExtentAllocator* device : devices) {
    sizes.push_back(device == nullptr ? 0 : device->device_size());
  }
  return CheckPlacementRequest(request, sizes).ok();
}

std::uint64_t BytesOf(const Placement& placement) {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : placement.extents) bytes += extent.length;
  return bytes;
}

/// The largest file of these parameters whose extents have `left` bytes.
std::uint64_t LargestIn(std::uint64_t left, const PlacementRequest& request) {
  const std::uint64_t units = left / kAllocUnit * kAllocUnit;
  if (request.strips == 0) return units;
  const std::uint64_t stripe = request.strips * request.chunk;
  // What is smaller than a chunk is contiguous.
  return left >= stripe ? left / stripe * stripe
                        : std::min(units, request.chunk - kAllocUnit);
}

}  // namespace

std::vector<BackingAnswer> AskBackings(
    std::span<const std::shared_ptr<DaxDevice>> devices,
    std::span<const std::uint64_t> taken) {
  std::vector<BackingAnswer> answers(devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i] == nullptr) continue;
    answers[i] = {.asked = true,
                  .taken = taken[i],
                  .backing = devices[i]->FindBacking(taken[i])};
  }
  return answers;
}

std::vector<std::uint64_t> TakenOf(
    std::span<const ExtentAllocator* const> allocators) {
  std::vector<std::uint64_t> taken;
  for (const ExtentAllocator* one : allocators) {
    taken.push_back(one == nullptr ? 0
                                   : one->device_size() - one->free_bytes());
  }
  return taken;
}

std::vector<MemorySource> FindSources(
    std::span<const BackingAnswer> answers,
    std::span<const ExtentAllocator* const> allocators) {
  MemorySource empty;
  empty.devices.resize(allocators.size());
  std::vector<MemorySource> sources = {empty};
  std::map<std::uint64_t, FileSystem> file_systems;
  const std::vector<std::uint64_t> taken = TakenOf(allocators);
  for (std::size_t i = 0; i < allocators.size() && i < answers.size(); ++i) {
    if (allocators[i] == nullptr || !answers[i].asked) continue;
    const auto& backing = answers[i].backing;
    if (backing.ok() && backing->has_value()) {
      Backing now = **backing;
      now.owed += std::max(taken[i], answers[i].taken) - answers[i].taken;
      file_systems[now.file_system].Add(i, now, allocators[i]->free_bytes());
      continue;
    }
    if (!backing.ok()) {
      sources.push_back(empty);
      sources.back().left = 0;
      sources.back().lost = backing.status();
    }
    (backing.ok() ? sources.front() : sources.back()).devices[i] = true;
  }
  for (const auto& [id, of] : file_systems) {
    const bool is_enough = of.left() >= of.unplaced;
    if (!is_enough) {
      sources.push_back(empty);
      sources.back().left = of.left();
    }
    MemorySource& source = is_enough ? sources.front() : sources.back();
    for (const std::size_t i : of.devices) source.devices[i] = true;
  }
  std::stable_sort(
      sources.begin(), sources.end(),
      [](const auto& a, const auto& b) { return a.left > b.left; });
  return sources;
}

std::uint64_t Unbacked(std::span<const MemorySource> sources,
                       std::span<const ExtentAllocator* const> allocators) {
  std::uint64_t unbacked = 0;
  for (const MemorySource& source : sources) {
    const std::uint64_t free = FreeOn(source, allocators);
    unbacked += free - std::min(free, source.left);
  }
  return unbacked;
}

absl::StatusOr<Placement> PlaceBacked(
    std::span<const MemorySource> sources,
    std::span<ExtentAllocator* const> allocators,
    const PlacementRequest& request) {
  if (!Allows(allocators, request)) return Place(allocators, request);
  absl::Status refused = ResourceExhausted(
      "the strips of a file must have their memory from one file system, and "
      "none of those under the devices has enough");
  for (const MemorySource& source : sources) {
    if (!source.lost.ok()) return source.lost;  // the last ones: none had room
    const std::vector<ExtentAllocator*> own = OfSource(source, allocators);
    if (!Allows(own, request)) continue;
    auto placed = Place(own, request);
    if (placed.ok() && BytesOf(*placed) <= source.left) return placed;
    if (!placed.ok()) {
      refused = placed.status();
      continue;
    }
    FAMFS_RETURN_IF_ERROR(GiveBack(own, *placed));
    refused = ResourceExhausted(
        "the file system that the memory comes from has room for {} more, and "
        "{} are needed; make room there, or make it larger",
        FormatSize(source.left), FormatSize(BytesOf(*placed)));
  }
  return refused;
}

absl::StatusOr<Room> RoomBacked(std::span<const MemorySource> sources,
                                std::span<ExtentAllocator* const> allocators,
                                const PlacementRequest& request) {
  Room room;
  for (const MemorySource& source : sources) {
    if (!source.lost.ok() && room.free == 0) return source.lost;
    const Room own = RoomFor(OfSource(source, allocators), request);
    const std::uint64_t most = source.left == MemorySource::kAll
                                   ? source.left
                                   : LargestIn(source.left, request);
    room.free += std::min(own.free, most);
    room.largest = std::max(room.largest, std::min(own.largest, most));
  }
  return room;
}

}  // namespace famfs
