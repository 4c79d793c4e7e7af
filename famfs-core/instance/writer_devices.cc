// Secondary devices: taking up those that the log names, adding another one.
#include <spdlog/spdlog.h>

#include "base/units.h"
#include "instance/new_entry.h"
#include "instance/writer.h"

namespace famfs {

absl::Status Writer::AdmitDevices() {
  {
    const std::shared_lock lock(mutex_);
    bool all = admitted_.size() == player_->devices().size() + 1;
    for (const auto& device : admitted_) all = all && device != nullptr;
    if (all) return absl::OkStatus();
  }
  const std::unique_lock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(stopped_);
  return AdmitDevicesLocked();
}

absl::Status Writer::AdmitDevicesLocked() {
  admitted_.resize(player_->devices().size() + 1);
  for (std::size_t i = 0; i < admitted_.size(); ++i) {
    if (admitted_[i] != nullptr) continue;
    const auto device = devices_->Find(i);
    if (device == nullptr) continue;
    FAMFS_RETURN_IF_ERROR(ReconcileExtents(i, *device));
    if (i > 0) {
      spdlog::info("{}: device {} is {}", device_->spec(), i, device->spec());
    }
    admitted_[i] = device;
  }
  return absl::OkStatus();
}

/// Whether what stands on the device may be given up.
absl::Status Writer::CheckContents(DaxDevice& device, const DeviceHead& head,
                                   const AddDeviceOptions& options) const {
  const MediaSuperblock& super = head.superblock;
  const bool ours = head.kind == DeviceHead::Kind::kSecondary &&
                    super.fs_uuid == layout_.superblock().fs_uuid;
  if (ours || options.force) return absl::OkStatus();
  if (head.kind != DeviceHead::Kind::kBlank) {
    return AlreadyExists(
        "{}: {} the famfs {} of host {}; use --force to take it away from that "
        "and lose its files",
        device.spec(),
        head.kind == DeviceHead::Kind::kPrimary ? "already holds"
                                                : "is a secondary device of",
        super.fs_uuid.ToString(), super.system_uuid.ToString());
  }
  if (!device.has_extent_files() && !options.only_blank) {
    return absl::OkStatus();
  }
  FAMFS_ASSIGN_OR_RETURN(const bool blank, IsBlankDevice(device));
  if (blank) return absl::OkStatus();
  return AlreadyExists(
      "{}: is not blank: {}; use `famfs devadd --force` if nobody needs that",
      device.spec(),
      device.has_extent_files() ? "it has allocated extents"
                                : "its first 2 MiB hold something");
}

absl::StatusOr<MediaAddDaxdev> Writer::CheckNewDeviceLocked(
    DaxDevice& device, const AddDeviceOptions& options) const {
  // How deleted space comes back differs, and holds for the whole instance.
  if (device.has_extent_files() != device_->has_extent_files()) {
    return InvalidArgument(
        "{}: emulated devices and real ones do not go together in one "
        "instance, "
        "and its primary is {}",
        device.spec(), device_->spec());
  }
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(device));
  const MediaSuperblock& super = head.superblock;
  const bool of_ours = head.kind != DeviceHead::Kind::kBlank &&
                       super.fs_uuid == layout_.superblock().fs_uuid;
  if (of_ours && head.kind == DeviceHead::Kind::kPrimary) {
    return AlreadyExists("{}: is the primary device of the instance",
                         device.spec());
  }
  Uuid uuid = device.tag();
  if (uuid.is_nil() && of_ours) uuid = super.device_uuid;
  if (uuid.is_nil()) uuid = options.device_uuid.value_or(Uuid::Random());
  const auto& added = player_->devices();
  for (std::size_t i = 0; i < added.size(); ++i) {
    if (added[i].device_uuid != uuid) continue;
    return AlreadyExists("{}: its uuid {} is that of device {} already",
                         device.spec(), uuid.ToString(), i + 1);
  }
  if (uuid == layout_.superblock().device_uuid) {
    return AlreadyExists("{}: its uuid {} is that of the primary device",
                         device.spec(), uuid.ToString());
  }
  if (added.size() + 1 >= kMaxDevices) {
    return ResourceExhausted(
        "the instance has {} devices, which is all that "
        "can be",
        kMaxDevices);
  }
  const std::uint64_t size = device.size() / kAllocUnit * kAllocUnit;
  if (size < 2 * kAllocUnit) {
    return OutOfRange("{}: has {}; a device needs at least {}", device.spec(),
                      FormatSize(device.size()), FormatSize(2 * kAllocUnit));
  }
  FAMFS_RETURN_IF_ERROR(CheckContents(device, head, options));
  return MediaAddDaxdev{.size = size,
                        .device_uuid = uuid,
                        .index = static_cast<std::uint32_t>(added.size() + 1),
                        .pad = 0};
}

absl::Status Writer::TryAddDevice(const std::shared_ptr<DaxDevice>& device,
                                  const AddDeviceOptions& options) {
  const std::unique_lock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(stopped_);
  FAMFS_ASSIGN_OR_RETURN(const MediaAddDaxdev added,
                         CheckNewDeviceLocked(*device, options));
  const std::uint64_t used = player_->next_index() + claimed_slots_;
  if (used + 1 + kStateSlots > SlotsLocked()) {
    return ResourceExhausted(
        "the log is full: {} of {} slots are used, and {} stay reserved for "
        "deletions",
        used, SlotsLocked(), kStateSlots);
  }
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  // The head before the entry: a device that the log names is always known.
  FAMFS_RETURN_IF_ERROR(WriteSecondaryHead(
      *device, MakeSecondarySuperblock(layout_.superblock(), added.device_uuid,
                                       *device)));
  MediaEntry entry = NewAddDaxdevEntry(added);
  FAMFS_RETURN_IF_ERROR(Append(std::span(&entry, 1), {}));
  devices_->AddCandidate(device);
  devices_->SetTable(layout_.superblock().fs_uuid, player_->devices());
  spdlog::info("{}: {} ({}) is now device {}", device_->spec(), device->spec(),
               FormatSize(added.size), added.index);
  return AdmitDevicesLocked();
}

absl::Status Writer::AddDevice(const std::shared_ptr<DaxDevice>& device,
                               const AddDeviceOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*device));
  std::optional<WriterLock> other;
  if (head.kind != DeviceHead::Kind::kBlank && options.force &&
      head.superblock.fs_uuid != layout_.superblock().fs_uuid) {
    FAMFS_ASSIGN_OR_RETURN(
        other, WriterLock::Acquire(lock_directory_, head.superblock.fs_uuid));
  }
  absl::Status status = TryAddDevice(device, options);
  if (!absl::IsResourceExhausted(status) || !CompactionHelps()) return status;
  FAMFS_RETURN_IF_ERROR(Compact());
  return TryAddDevice(device, options);
}

}  // namespace famfs
