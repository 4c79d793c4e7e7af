#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/units.h"
#include "instance/writer/writer.h"

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

// What one extent cannot (its file is immutable, say, and this process may not
// change that) must not keep all others from being removed or made.
void Writer::NoteStuckLocked(const MediaExtent& extent,
                             const absl::Status& why) {
  stuck_.push_back(extent);
  spdlog::error("{}: {} of deleted space wait until they can be removed: {}",
                device_->spec(), FormatSize(extent.length), Message(why));
}

void Writer::RemoveStuck() {
  std::vector<MediaExtent> stuck;
  {
    const ReaderMutexLock lock(mutex_);
    stuck = stuck_;
  }
  for (const MediaExtent& extent : stuck) {
    if (!RemoveExtent(extent).ok()) continue;  // it was told
    const WriterMutexLock lock(mutex_);
    stuck_.erase(std::find(stuck_.begin(), stuck_.end(), extent));
    IgnoreError(FreeLocked(extent), "it was taken when it got stuck");
    spdlog::info("{}: {} of deleted space that could not be removed came back",
                 device_->spec(), FormatSize(extent.length));
  }
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
