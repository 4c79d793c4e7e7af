#include "instance/writer.h"

namespace famfs {

absl::Status Writer::CheckPlace(const Claim& claim, std::size_t i) const {
  const std::uint64_t index = claim.extents[i].device_index;
  FAMFS_ASSIGN_OR_RETURN(const auto device, devices_->At(index));
  if (device == claim.devices[i]) return absl::OkStatus();
  return Unavailable(
      "device {} of the instance was away for a while; try again", index);
}

absl::Status Writer::CreateExtent(const Claim& claim, std::size_t i) {
  FAMFS_RETURN_IF_ERROR(CheckPlace(claim, i));
  const MediaExtent& extent = claim.extents[i];
  return claim.devices[i]->CreateExtent({extent.offset, extent.length});
}

absl::Status Writer::RemoveExtent(const MediaExtent& extent) {
  FAMFS_ASSIGN_OR_RETURN(const auto device, devices_->At(extent.device_index));
  return device->RemoveExtent(extent.offset);
}

absl::Status Writer::TakeLocked(const MediaExtent& extent) {
  return player_->mutable_allocator(extent.device_index)
      .Take({extent.offset, extent.length});
}

absl::Status Writer::FreeLocked(const MediaExtent& extent) {
  return player_->mutable_allocator(extent.device_index)
      .Free({extent.offset, extent.length});
}

}  // namespace famfs
