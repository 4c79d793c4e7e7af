#include "instance/writer/placing.h"

#include <algorithm>

#include "instance/log/tree_promises.h"
#include "instance/writer/writer_options.h"

namespace famfs {
namespace {

PlacementRequest RequestOf(const Wanted& wanted) {
  return {.size = wanted.size,
          .max_extents = wanted.max_extents,
          .strips = wanted.layout.strips,
          .chunk = wanted.layout.chunk,
          .buckets = wanted.layout.buckets};
}

}  // namespace

std::vector<BackingAnswer> AskBackings(WriterState& state) {
  std::vector<std::shared_ptr<DaxDevice>> devices;
  std::vector<std::uint64_t> taken;
  {
    const ReaderMutexLock lock(state.mutex);
    devices = state.admitted;
    taken = TakenOf(state.Allocators());
  }
  return AskBackings(devices, taken);
}

absl::StatusOr<Placement> PlaceFile(WriterState& state, const Wanted& wanted) {
  const std::vector<ExtentAllocator*> allocators = state.Allocators();
  return PlaceBacked(FindSources(wanted.backings, allocators), allocators,
                     RequestOf(wanted));
}

absl::StatusOr<Wanted> VolumeFile(WriterState& state,
                                  const VolumePlacement& placement) {
  Wanted wanted;
  // The path that `auto` becomes on a node is that of the primary's kind.
  const bool may_pass_through = placement.data_path == DataPath::kPassthrough ||
                                (placement.data_path == DataPath::kAuto &&
                                 state.device->capabilities().can_pass_through);
  wanted.max_extents = may_pass_through ? 1 : kMaxExtents;
  if (placement.strips == 0) return wanted;
  if (may_pass_through) {
    return InvalidArgument(
        "{} strips: a file that is passed through is one extent, and on {} the "
        "data path {} can be passthrough; leave the interleave parameters out, "
        "or ask for the data path copy",
        placement.strips, state.device->spec(), ToString(placement.data_path));
  }
  const ReaderMutexLock lock(state.mutex);
  const std::vector<std::uint64_t> sizes = state.DeviceSizes();
  wanted.layout = {
      .strips = placement.strips,
      .chunk = placement.chunk,
      .buckets = placement.strips > sizes.size() ? placement.strips : 0};
  PlacementRequest any_size = RequestOf(wanted);
  any_size.size = kAllocUnit;
  FAMFS_RETURN_IF_ERROR(CheckPlacementRequest(any_size, sizes));
  return wanted;
}

std::uint64_t RoomFor(WriterState& state,
                      const std::vector<BackingAnswer>& backings) {
  const std::vector<ExtentAllocator*> allocators = state.Allocators();
  const absl::StatusOr<Room> room =
      RoomBacked(FindSources(backings, allocators), allocators,
                 {.size = kAllocUnit, .max_extents = kMaxExtents});
  return room.ok() ? room->free : 0;
}

namespace {

/// What is left beside what tree volumes were promised.
void LeavePromises(WriterState& state, const VolumePlacement& placement,
                   AvailableSpace& capacity)
    ABSL_SHARED_LOCKS_REQUIRED(state.mutex) {
  const bool is_tree = placement.layout == VolumeLayout::kTree;
  const TreePromise promised = OutstandingPromises(state.log.player());
  capacity.free -= std::min(capacity.free, promised.bytes);
  // A tree volume is promised bytes, not places.
  if (is_tree) capacity.largest = capacity.free;
  capacity.largest = std::min(capacity.largest, capacity.free);
  const std::uint64_t taken =
      (promised +
       TreePromise{.bytes = 0, .slots = state.UsedSlots() + kStateSlots + 2})
          .slots;
  const std::uint64_t left =
      state.log.slots() - std::min(state.log.slots(), taken);
  if (!is_tree) {
    if (left == 0) capacity.free = capacity.largest = 0;
    return;
  }
  capacity.largest = std::min(capacity.largest, TreeCapacity(left));
  if (capacity.largest == 0) capacity.free = 0;
}

}  // namespace

absl::StatusOr<AvailableSpace> AvailableSpaceNow(
    WriterState& state, const VolumePlacement& placement) {
  FAMFS_ASSIGN_OR_RETURN(Wanted wanted, VolumeFile(state, placement));
  wanted.backings = AskBackings(state);
  const ReaderMutexLock lock(state.mutex);
  FAMFS_RETURN_IF_ERROR(state.log.stopped());
  AvailableSpace capacity;
  const std::vector<std::uint64_t> sizes = state.DeviceSizes();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (state.admitted[i] != nullptr) capacity.total += sizes[i];
  }
  constexpr std::uint64_t kVolumeSlots = 2;  // its mkdir and its file
  if (state.UsedSlots() + kVolumeSlots + kStateSlots > state.log.slots()) {
    return capacity;
  }
  wanted.size = kAllocUnit;
  const std::vector<ExtentAllocator*> allocators = state.Allocators();
  FAMFS_ASSIGN_OR_RETURN(const Room room,
                         RoomBacked(FindSources(wanted.backings, allocators),
                                    allocators, RequestOf(wanted)));
  capacity.free = room.free;
  capacity.largest = room.largest;
  LeavePromises(state, placement, capacity);
  return capacity;
}

}  // namespace famfs
