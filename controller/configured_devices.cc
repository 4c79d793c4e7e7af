#include "controller/configured_devices.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "instance/devices/secondary.h"

namespace famfs::controller {
namespace {

/// Whether the log names this device already. One without a head of ours is
/// known by its tag, which an image has not.
absl::StatusOr<bool> IsMember(const Writer& writer, DaxDevice& device) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(device));
  Uuid uuid = device.tag();
  if (head.kind != DeviceHead::Kind::kBlank) {
    if (head.kind == DeviceHead::Kind::kPrimary ||
        head.superblock.fs_uuid != writer.superblock().fs_uuid) {
      return false;
    }
    uuid = head.superblock.device_uuid;
  }
  const std::vector<MediaAddDaxdev> added = writer.AddedDevices();
  return !uuid.is_nil() && std::any_of(added.begin(), added.end(),
                                       [&](const MediaAddDaxdev& one) {
                                         return one.device_uuid == uuid;
                                       });
}

}  // namespace

absl::Status ConfiguredDevices::TryAdd(const DeviceSpec& spec,
                                       Writer& writer) const {
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<DaxDevice> device,
                         open_device_(spec, Access::kReadWrite));
  FAMFS_ASSIGN_OR_RETURN(const bool member, IsMember(writer, *device));
  if (member) return absl::OkStatus();
  return writer.AddDevice(device, {.only_blank = true});
}

void ConfiguredDevices::AddTo(Writer& writer) {
  const MutexLock lock(mutex_);
  for (const DeviceSpec& spec : specs_) {
    if (members_.contains(spec)) continue;
    const absl::Status status = TryAdd(spec, writer);
    if (status.ok()) {
      members_.insert(spec);
      logged_.erase(spec);
      continue;
    }
    const std::string error(Message(status));
    if (std::exchange(logged_[spec], error) == error) continue;
    spdlog::error(
        "pool {}: the configured device {} is not used, and the pool goes on "
        "without it: {}",
        pool_, spec.ToString(), error);
  }
}

std::vector<std::string> ConfiguredDevices::Missing() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> missing;
  for (const auto& [spec, error] : logged_) {
    // An error begins with the device, as a rule.
    const std::string name = spec.ToString();
    missing.push_back(
        error.starts_with(name) ? error : fmt::format("{}: {}", name, error));
  }
  return missing;
}

void ConfiguredDevices::Forget() {
  const MutexLock lock(mutex_);
  members_.clear();
  logged_.clear();
}

}  // namespace famfs::controller
