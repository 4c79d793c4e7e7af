// Secondary devices: taking up those that the log names, adding another one.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/units.h"
#include "instance/deletion/in_use.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/writer.h"

namespace famfs {

namespace {

/// Adds what a file of the log takes on a device.
void AddExtents(const Node& node, std::uint64_t device_index,
                std::vector<Range>& ranges) {
  for (const MediaExtent& extent : node.extents) {
    if (extent.device_index == device_index && !node.is_meta) {
      ranges.push_back({extent.offset, extent.length});
    }
  }
}

bool Contains(const std::vector<Range>& sorted, const Range& range) {
  return std::binary_search(sorted.begin(), sorted.end(), range);
}

/// Whether any range of `sorted`, which do not overlap each other, meets
/// `range`.
bool Overlaps(const std::vector<Range>& sorted, const Range& range) {
  const auto after =
      std::lower_bound(sorted.begin(), sorted.end(), Range{range.end(), 0});
  return after != sorted.begin() && std::prev(after)->end() > range.offset;
}

}  // namespace

absl::Status Writer::AdmitDevices() {
  devices_->Verify();
  const auto present = [this] {
    std::vector<std::shared_ptr<DaxDevice>> found(devices_->size());
    for (std::size_t i = 0; i < found.size(); ++i) found[i] = devices_->Find(i);
    return found;
  };
  const auto seen = present();
  {
    const ReaderMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(stopped_);
    if (admitted_ == seen) return absl::OkStatus();
  }
  const std::lock_guard one(admit_mutex_);
  const auto now = present();
  std::string error;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const absl::Status status = AdmitDevice(i, now[i]);
    if (i == 0) FAMFS_RETURN_IF_ERROR(status);
    if (!status.ok()) error = std::string(Message(status));
  }
  if (std::exchange(admit_error_, error) != error && !error.empty()) {
    spdlog::error("{}: a further device cannot be used: {}", device_->spec(),
                  error);
  }
  return absl::OkStatus();
}

absl::Status Writer::AdmitDevice(std::uint64_t index,
                                 const std::shared_ptr<DaxDevice>& device) {
  {
    const WriterMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(stopped_);
    if (admitted_.size() <= index) admitted_.resize(index + 1);
    if (admitted_[index] == device) return absl::OkStatus();
    admitted_[index] = nullptr;
  }
  if (device == nullptr) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(ReconcileExtents(index, *device));
  if (index > 0) {
    spdlog::info("{}: device {} is {}", device_->spec(), index, device->spec());
  }
  const WriterMutexLock lock(mutex_);
  admitted_[index] = device;
  return absl::OkStatus();
}

std::vector<MediaExtent> Writer::MissingExtents() const {
  const ReaderMutexLock lock(mutex_);
  return missing_;
}

Writer::Extents Writer::ExtentsOn(std::uint64_t device_index) const {
  const ReaderMutexLock lock(mutex_);
  Extents extents;
  for (const auto& [id, node] : player_->tree().nodes()) {
    AddExtents(*node, device_index, extents.live);
  }
  std::sort(extents.live.begin(), extents.live.end());
  std::vector<Range>& named = extents.named;
  named = player_->PendingOn(device_index);
  named.insert(named.end(), extents.live.begin(), extents.live.end());
  // Of a device that was missing for a while: not yet, or no longer, named.
  for (const std::vector<MediaExtent>* held : {&claimed_, &dying_, &stuck_}) {
    for (const MediaExtent& extent : *held) {
      if (extent.device_index != device_index) continue;
      named.push_back({extent.offset, extent.length});
    }
  }
  named.push_back({kSuperblockOffset, kSuperblockRegion});
  if (device_index == 0) {
    named.push_back({kLogOffset, layout_.superblock().log_length});
  }
  std::sort(named.begin(), named.end());
  return extents;
}

absl::Status Writer::ReconcileExtents(std::uint64_t device_index,
                                      DaxDevice& device) {
  if (!device.has_extent_files()) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(device.CleanUp());
  const auto [live, named] = ExtentsOn(device_index);
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Range> present,
                         device.ListExtents());
  {
    // What a successor made is none of ours to remove; what it makes from here
    // on is not among these.
    const WriterMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  }
  for (const Range& range : present) {
    // One of another length than the log's is no leftover: it may hold a file's
    // bytes. It stays, and the file is told as missing.
    if (Overlaps(named, range)) continue;
    spdlog::info(
        "{}: removing the extent at {:#x} ({} bytes), which no entry "
        "names",
        device.spec(), range.offset, range.length);
    const absl::Status removed = device.RemoveExtent(range.offset);
    if (removed.ok()) continue;
    const MediaExtent extent{device_index, range.offset, range.length};
    const WriterMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(TakeLocked(extent));
    NoteStuckLocked(extent, removed);
  }
  std::vector<MediaExtent> missing;
  for (const Range& range : live) {
    if (Contains(present, range)) continue;
    missing.push_back({device_index, range.offset, range.length});
    spdlog::error("{}: a file's extent at {:#x} ({} bytes) is missing",
                  device.spec(), range.offset, range.length);
  }
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> malformed,
                         device.MalformedExtents());
  for (const std::string& sentence : malformed) {
    spdlog::warn("{}: left alone: {}", device.spec(), sentence);
  }
  const WriterMutexLock lock(mutex_);
  std::erase_if(missing_, [device_index](const MediaExtent& extent) {
    return extent.device_index == device_index;
  });
  missing_.insert(missing_.end(), missing.begin(), missing.end());
  return absl::OkStatus();
}

/// Whether what stands on the device may be given up.
absl::Status Writer::CheckContents(DaxDevice& device, const DeviceHead& head,
                                   const AddDeviceOptions& options) const {
  const MediaSuperblock& super = head.superblock;
  const bool ours = head.kind == DeviceHead::Kind::kSecondary &&
                    super.fs_uuid == layout_.superblock().fs_uuid;
  if (ours) return absl::OkStatus();
  if (options.force) {
    return options.force_in_use ? absl::OkStatus() : CheckUnused(device, self_);
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

absl::StatusOr<MediaAddDaxdev> Writer::CheckNewDevice(
    const DaxDevice& device, const DeviceHead& head,
    const AddDeviceOptions& options) const {
  const ReaderMutexLock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(stopped_);
  // How deleted space comes back differs, and holds for the whole instance.
  if (device.has_extent_files() != device_->has_extent_files()) {
    return InvalidArgument(
        "{}: emulated devices and real ones do not go together in one "
        "instance, "
        "and its primary is {}",
        device.spec(), device_->spec());
  }
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
  return MediaAddDaxdev{.size = size,
                        .device_uuid = uuid,
                        .index = static_cast<std::uint32_t>(added.size() + 1),
                        .pad = 0};
}

absl::Status Writer::ClaimSlot() {
  const WriterMutexLock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(stopped_);
  const std::uint64_t used = player_->next_index() + claimed_slots_;
  if (used + 1 + kStateSlots > SlotsLocked()) {
    return ResourceExhausted(
        "the log is full: {} of {} slots are used, and {} stay reserved for "
        "deletions",
        used, SlotsLocked(), kStateSlots);
  }
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  ++claimed_slots_;
  return absl::OkStatus();
}

absl::Status Writer::TryAddDevice(const std::shared_ptr<DaxDevice>& device,
                                  const AddDeviceOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*device));
  FAMFS_ASSIGN_OR_RETURN(const MediaAddDaxdev added,
                         CheckNewDevice(*device, head, options));
  FAMFS_RETURN_IF_ERROR(CheckContents(*device, head, options));
  FAMFS_RETURN_IF_ERROR(ClaimSlot());
  // The head before the entry: a device that the log names is always known.
  const absl::Status written = WriteSecondaryHead(
      *device, MakeSecondarySuperblock(layout_.superblock(), added.device_uuid,
                                       *device));
  const WriterMutexLock lock(mutex_);
  --claimed_slots_;
  FAMFS_RETURN_IF_ERROR(written);
  FAMFS_RETURN_IF_ERROR(stopped_);
  MediaEntry entry = NewAddDaxdevEntry(added);
  FAMFS_RETURN_IF_ERROR(Append(std::span(&entry, 1), {}));
  devices_->AddCandidate(device);
  devices_->SetTable(layout_.superblock().fs_uuid, player_->devices());
  admitted_.resize(player_->devices().size() + 1);
  spdlog::info("{}: {} ({}) is now device {}", device_->spec(), device->spec(),
               FormatSize(added.size), added.index);
  return absl::OkStatus();
}

absl::Status Writer::AddDevice(const std::shared_ptr<DaxDevice>& device,
                               const AddDeviceOptions& options) {
  const std::lock_guard one(add_mutex_);
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*device));
  std::optional<WriterLock> other;
  if (head.kind != DeviceHead::Kind::kBlank && options.force &&
      head.superblock.fs_uuid != layout_.superblock().fs_uuid) {
    FAMFS_ASSIGN_OR_RETURN(
        other, WriterLock::Acquire(lock_directory_, head.superblock.fs_uuid));
  }
  absl::Status status = TryAddDevice(device, options);
  if (absl::IsResourceExhausted(status) && CompactionHelps()) {
    FAMFS_RETURN_IF_ERROR(Compact());
    status = TryAddDevice(device, options);
  }
  FAMFS_RETURN_IF_ERROR(status);
  return AdmitDevices();
}

}  // namespace famfs
