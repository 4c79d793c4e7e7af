#include "instance/writer/device_adder.h"

#include <spdlog/spdlog.h>

#include <optional>

#include "base/units.h"
#include "instance/deletion/in_use.h"
#include "instance/devices/secondary.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/admission.h"
#include "instance/writer/compactor.h"
#include "instance/writer/writer_lock.h"

#include "instance/writer/writer_options.h"

namespace famfs {

/// Whether what stands on the device may be given up.
absl::Status DeviceAdder::CheckContents(DaxDevice& device,
                                        const DeviceHead& head,
                                        const AddDeviceOptions& options) const {
  const MediaSuperblock& super = head.superblock;
  const bool ours = head.kind == DeviceHead::Kind::kSecondary &&
                    super.fs_uuid == state_.layout->superblock().fs_uuid;
  if (ours) return absl::OkStatus();
  if (options.force) {
    return options.force_in_use ? absl::OkStatus()
                                : CheckUnused(device, state_.self);
  }
  if (head.kind != DeviceHead::Kind::kBlank) {
    return AlreadyExists(
        "{}: {} the famfs {} of host {}; use --force to take it away from that "
        "and lose its files",
        device.spec(),
        head.kind == DeviceHead::Kind::kPrimary ? "already holds"
                                                : "is a secondary device of",
        super.fs_uuid.ToString(), super.system_uuid.ToString());
  }
  if (!device.capabilities().allocates_extents && !options.only_blank) {
    return absl::OkStatus();
  }
  FAMFS_ASSIGN_OR_RETURN(const bool blank, IsBlankDevice(device));
  if (blank) return absl::OkStatus();
  return AlreadyExists(
      "{}: is not blank: {}; use `famfs devadd --force` if nobody needs that",
      device.spec(),
      device.capabilities().allocates_extents
          ? "it has allocated extents"
          : "its first 2 MiB hold something");
}

absl::StatusOr<MediaAddDaxdev> DeviceAdder::CheckNewDevice(
    const DaxDevice& device, const DeviceHead& head,
    const AddDeviceOptions& options) const {
  const ReaderMutexLock lock(state_.mutex);
  FAMFS_RETURN_IF_ERROR(state_.log.stopped());
  // How deleted space comes back differs, and holds for the whole instance.
  if (device.capabilities().removed_extents_live_on !=
      state_.device->capabilities().removed_extents_live_on) {
    return InvalidArgument(
        "{}: emulated devices and real ones do not go together in one "
        "instance, and its primary is {}",
        device.spec(), state_.device->spec());
  }
  const MediaSuperblock& super = head.superblock;
  const bool of_ours = head.kind != DeviceHead::Kind::kBlank &&
                       super.fs_uuid == state_.layout->superblock().fs_uuid;
  if (of_ours && head.kind == DeviceHead::Kind::kPrimary) {
    return AlreadyExists("{}: is the primary device of the instance",
                         device.spec());
  }
  Uuid uuid = device.tag();
  if (uuid.is_nil() && of_ours) uuid = super.device_uuid;
  if (uuid.is_nil()) uuid = options.device_uuid.value_or(Uuid::Random());
  const auto& added = state_.log.player().devices();
  for (std::size_t i = 0; i < added.size(); ++i) {
    if (added[i].device_uuid != uuid) continue;
    return AlreadyExists("{}: its uuid {} is that of device {} already",
                         device.spec(), uuid.ToString(), i + 1);
  }
  if (uuid == state_.layout->superblock().device_uuid) {
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
  return MediaAddDaxdev{.size = size,
                        .device_uuid = uuid,
                        .index = static_cast<std::uint32_t>(added.size() + 1),
                        .pad = 0};
}

absl::Status DeviceAdder::ClaimSlot() {
  const WriterMutexLock lock(state_.mutex);
  FAMFS_RETURN_IF_ERROR(state_.log.stopped());
  const std::uint64_t used = state_.UsedSlots();
  const std::uint64_t slots = state_.log.slots();
  if (used + 1 + kStateSlots > slots) {
    return ResourceExhausted(
        "the log is full: {} of {} slots are used, and {} stay reserved for "
        "deletions",
        used, slots, kStateSlots);
  }
  FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
  state_.claims.AddSlot();
  return absl::OkStatus();
}

absl::Status DeviceAdder::TryAdd(const std::shared_ptr<DaxDevice>& device,
                                 const AddDeviceOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*device));
  FAMFS_ASSIGN_OR_RETURN(const MediaAddDaxdev added,
                         CheckNewDevice(*device, head, options));
  FAMFS_RETURN_IF_ERROR(CheckContents(*device, head, options));
  FAMFS_RETURN_IF_ERROR(ClaimSlot());
  // The head before the entry: a device that the log names is always known.
  const absl::Status written = WriteSecondaryHead(
      *device, MakeSecondarySuperblock(state_.layout->superblock(),
                                       added.device_uuid, *device));
  const WriterMutexLock lock(state_.mutex);
  state_.claims.RemoveSlot();
  FAMFS_RETURN_IF_ERROR(written);
  FAMFS_RETURN_IF_ERROR(state_.log.stopped());
  MediaEntry entry = NewAddDaxdevEntry(added);
  FAMFS_RETURN_IF_ERROR(state_.log.Append(std::span(&entry, 1), {}));
  state_.devices->AddCandidate(device);
  state_.devices->SetTable(state_.layout->superblock().fs_uuid,
                           state_.log.player().devices());
  state_.admitted.resize(state_.log.player().devices().size() + 1);
  spdlog::info("{}: {} ({}) is now device {}", state_.device->spec(),
               device->spec(), FormatSize(added.size), added.index);
  return absl::OkStatus();
}

absl::Status DeviceAdder::Add(const std::shared_ptr<DaxDevice>& device,
                              const AddDeviceOptions& options) {
  const MutexLock one(mutex_);
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*device));
  std::optional<WriterLock> other;
  if (head.kind != DeviceHead::Kind::kBlank && options.force &&
      head.superblock.fs_uuid != state_.layout->superblock().fs_uuid) {
    FAMFS_ASSIGN_OR_RETURN(
        other, WriterLock::Acquire(lock_directory_, head.superblock.fs_uuid));
  }
  absl::Status status = TryAdd(device, options);
  if (absl::IsResourceExhausted(status) && compactor_.Helps()) {
    FAMFS_RETURN_IF_ERROR(compactor_.Compact());
    status = TryAdd(device, options);
  }
  FAMFS_RETURN_IF_ERROR(status);
  return admission_.Admit();
}

}  // namespace famfs
