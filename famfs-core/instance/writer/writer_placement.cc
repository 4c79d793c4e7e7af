// Where files go: what the parameters of a volume ask of alloc/placement.h, and
// which devices it may use.
#include "alloc/placement.h"
#include "instance/devices/memory_source.h"
#include "instance/writer/writer.h"

namespace famfs {

std::vector<MediaAddDaxdev> Writer::AddedDevices() const {
  const ReaderMutexLock lock(mutex_);
  return player_->devices();
}

std::vector<std::uint64_t> Writer::DeviceSizesLocked() const {
  std::vector<std::uint64_t> sizes = {layout_.device_size()};
  for (const MediaAddDaxdev& device : player_->devices()) {
    sizes.push_back(device.size);
  }
  return sizes;
}

std::vector<ExtentAllocator*> Writer::AllocatorsLocked() const {
  std::vector<ExtentAllocator*> allocators;
  for (std::size_t i = 0; i < admitted_.size(); ++i) {
    allocators.push_back(
        admitted_[i] == nullptr ? nullptr : &player_->mutable_allocator(i));
  }
  return allocators;
}

std::vector<BackingAnswer> Writer::AskBackings() const {
  std::vector<std::shared_ptr<DaxDevice>> devices;
  std::vector<std::uint64_t> taken;
  {
    const ReaderMutexLock lock(mutex_);
    devices = admitted_;
    taken = TakenOf(AllocatorsLocked());
  }
  return famfs::AskBackings(devices, taken);
}

absl::StatusOr<Placement> Writer::PlaceFileLocked(const Wanted& wanted) const {
  const std::vector<ExtentAllocator*> allocators = AllocatorsLocked();
  return PlaceBacked(FindSources(wanted.backings, allocators), allocators,
                     RequestOf(wanted));
}

PlacementRequest Writer::RequestOf(const Wanted& wanted) {
  return {.size = wanted.size,
          .max_extents = wanted.max_extents,
          .strips = wanted.layout.strips,
          .chunk = wanted.layout.chunk,
          .buckets = wanted.layout.buckets};
}

/// What a volume's file asks for, without its size.
absl::StatusOr<Writer::Wanted> Writer::VolumeFile(
    const VolumePlacement& placement) const {
  Wanted wanted;
  // The path that `auto` becomes on a node is that of the primary's kind.
  const bool may_pass_through =
      placement.data_path == DataPath::kPassthrough ||
      (placement.data_path == DataPath::kAuto && device_->has_extent_files());
  wanted.max_extents = may_pass_through ? 1 : kMaxExtents;
  if (placement.strips == 0) return wanted;
  if (may_pass_through) {
    return InvalidArgument(
        "{} strips: a file that is passed through is one extent, and on {} the "
        "data path {} can be passthrough; leave the interleave parameters out, "
        "or ask for the data path copy",
        placement.strips, device_->spec(), ToString(placement.data_path));
  }
  const ReaderMutexLock lock(mutex_);
  const std::vector<std::uint64_t> sizes = DeviceSizesLocked();
  wanted.layout = {
      .strips = placement.strips,
      .chunk = placement.chunk,
      .buckets = placement.strips > sizes.size() ? placement.strips : 0};
  PlacementRequest any_size = RequestOf(wanted);
  any_size.size = kAllocUnit;
  FAMFS_RETURN_IF_ERROR(CheckPlacementRequest(any_size, sizes));
  return wanted;
}

absl::Status Writer::CheckPlacement(const VolumePlacement& placement) const {
  return VolumeFile(placement).status();
}

absl::StatusOr<Capacity> Writer::GetCapacity(const VolumePlacement& placement) {
  FAMFS_RETURN_IF_ERROR(AdmitDevices());
  FAMFS_RETURN_IF_ERROR(CheckPlacement(placement));
  if (CompactionHelps()) {
    if (const absl::Status compacted = Compact();
        !compacted.ok() && !absl::IsResourceExhausted(compacted)) {
      return compacted;
    }
  }
  return CapacityNow(placement);
}

absl::StatusOr<Capacity> Writer::CapacityNow(
    const VolumePlacement& placement) const {
  FAMFS_ASSIGN_OR_RETURN(Wanted wanted, VolumeFile(placement));
  wanted.backings = AskBackings();
  const ReaderMutexLock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(stopped_);
  Capacity capacity;
  const std::vector<std::uint64_t> sizes = DeviceSizesLocked();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (admitted_[i] != nullptr) capacity.total += sizes[i];
  }
  constexpr std::uint64_t kVolumeSlots = 2;  // its mkdir and its file
  if (player_->next_index() + claimed_slots_ + kVolumeSlots + kStateSlots >
      SlotsLocked()) {
    return capacity;
  }
  wanted.size = kAllocUnit;
  const std::vector<ExtentAllocator*> allocators = AllocatorsLocked();
  FAMFS_ASSIGN_OR_RETURN(const Room room,
                         RoomBacked(FindSources(wanted.backings, allocators),
                                    allocators, RequestOf(wanted)));
  capacity.free = room.free;
  capacity.largest = room.largest;
  return capacity;
}

}  // namespace famfs
