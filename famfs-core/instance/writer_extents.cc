#include "instance/writer.h"

namespace famfs {

DaxDevice& Writer::DeviceAt(std::uint64_t /*device_index*/) const {
  return *device_;
}

absl::Status Writer::CreateExtent(const MediaExtent& extent) {
  return DeviceAt(extent.device_index)
      .CreateExtent({extent.offset, extent.length});
}

absl::Status Writer::RemoveExtent(const MediaExtent& extent) {
  return DeviceAt(extent.device_index).RemoveExtent(extent.offset);
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
