#include "instance/writer/writer_state.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/units.h"

namespace famfs {
namespace {

void AddOn(std::uint64_t device_index, std::span<const MediaExtent> extents,
           std::vector<Range>& ranges) {
  for (const MediaExtent& extent : extents) {
    if (extent.device_index == device_index) {
      ranges.push_back({extent.offset, extent.length});
    }
  }
}

}  // namespace

WriterState::WriterState(std::shared_ptr<DeviceSet> all_devices,
                         std::unique_ptr<Layout> opened, WriterLock locked,
                         const ThisHost& host, OwnedLog owned)
    : devices(std::move(all_devices)),
      device(devices->primary()),
      layout(std::move(opened)),
      lock(std::move(locked)),
      self(host),
      log(std::move(owned)),
      promises(device, {.host = self.host,
                        .epoch = log.epoch(),
                        .excludes_others = lock.held()}) {}

absl::Status WriterState::RemoveExtent(const MediaExtent& extent) const {
  FAMFS_ASSIGN_OR_RETURN(const auto where, devices->At(extent.device_index));
  return where->RemoveExtent(extent.offset);
}

bool WriterState::IsPresent(const PendingVolume& volume) const {
  for (const MediaExtent& extent : volume.extents) {
    if (admitted[extent.device_index] == nullptr) return false;
  }
  return true;
}

std::vector<std::uint64_t> WriterState::DeviceSizes() const {
  std::vector<std::uint64_t> sizes = {layout->device_size()};
  for (const MediaAddDaxdev& added : log.player().devices()) {
    sizes.push_back(added.size);
  }
  return sizes;
}

std::vector<ExtentAllocator*> WriterState::Allocators() {
  std::vector<ExtentAllocator*> allocators;
  for (std::size_t i = 0; i < admitted.size(); ++i) {
    allocators.push_back(admitted[i] == nullptr ? nullptr : &log.allocator(i));
  }
  return allocators;
}

std::vector<Range> WriterState::UnnamedOn(std::uint64_t device_index) const {
  std::vector<Range> ranges;
  AddOn(device_index, claims.extents(), ranges);
  AddOn(device_index, dying, ranges);
  AddOn(device_index, stuck, ranges);
  return ranges;
}

/// Where each extent is a file of its own, a removed one lives on for who maps
/// it: nobody has to be asked. Elsewhere, what is scrubbed.
absl::flat_hash_set<std::string> WriterState::Released() const {
  if (WaitsForHosts()) return scrubbed.directories();
  absl::flat_hash_set<std::string> released;
  for (const auto& [directory, volume] : log.player().pending()) {
    if (IsPresent(volume)) released.insert(directory);
  }
  return released;
}

bool WriterState::CompactionHelps() const {
  return log.Droppable(Released().size()) > 0 || !dying.empty() ||
         !stuck.empty();
}

// What one extent cannot (its file is immutable, say, and this process may not
// change that) must not keep all others from being removed or made.
void WriterState::NoteStuck(const MediaExtent& extent,
                            const absl::Status& why) {
  stuck.push_back(extent);
  spdlog::error("{}: {} of deleted space wait until they can be removed: {}",
                device->spec(), FormatSize(extent.length), Message(why));
}

void WriterState::TakeReserve() {
  const std::uint64_t need =
      RoundUp(layout->superblock().log_length, kAllocUnit);
  ExtentAllocator& allocator = log.allocator(0);
  if (reserve || allocator.largest_free() < need) return;
  std::vector<Range> taken = UnnamedOn(0);
  for (const Range& dead : log.player().PendingOn(0)) taken.push_back(dead);
  for (const auto& [id, node] : log.tree().nodes()) {
    AddOn(0, node->extents, taken);
  }
  std::sort(taken.begin(), taken.end());
  // From the end: the last gap that is large enough, and in it the last bytes,
  // so that the reserve splits as little as possible.
  std::uint64_t gap_end = layout->device_size() / kAllocUnit * kAllocUnit;
  for (auto it = taken.rbegin(); it != taken.rend(); ++it) {
    const Range candidate{gap_end - need, need};
    if (gap_end >= it->end() + need && allocator.Take(candidate).ok()) {
      reserve = candidate;
      if (WaitsForHosts()) scrubbed.Forget({0, candidate.offset, need});
      return;
    }
    gap_end = it->offset;
  }
}

}  // namespace famfs
