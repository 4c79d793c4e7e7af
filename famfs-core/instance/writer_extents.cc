#include "instance/writer.h"

namespace famfs {

absl::Status Writer::CreateExtent(const MediaExtent& extent) {
  FAMFS_ASSIGN_OR_RETURN(const auto device, devices_->At(extent.device_index));
  return device->CreateExtent({extent.offset, extent.length});
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
