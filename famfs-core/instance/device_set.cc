#include "instance/device_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "instance/secondary.h"

namespace famfs {
namespace {

/// Whether a secondary of this uuid is the one whose entry cannot be read
/// (instance/salvage.h): the only such, and the only one without an entry.
absl::Status CheckUnnamed(const Uuid& uuid,
                          std::span<const MediaAddDaxdev> added) {
  std::size_t unnamed = 0;
  for (const MediaAddDaxdev& one : added) {
    if (one.device_uuid == uuid) {
      return FailedPrecondition("is the device {}", uuid.ToString());
    }
    if (one.device_uuid.is_nil()) ++unnamed;
  }
  if (unnamed == 1) return absl::OkStatus();
  return FailedPrecondition(
      "may be any of the {} devices whose entries cannot be read", unnamed);
}

/// Whether `device` is the one that the log calls `wanted`.
absl::Status CheckIdentity(DaxDevice& device, const Uuid& fs_uuid,
                           const MediaAddDaxdev& wanted,
                           std::span<const MediaAddDaxdev> added) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(device));
  Uuid uuid = device.tag();
  switch (head.kind) {
    case DeviceHead::Kind::kPrimary:
      return FailedPrecondition("holds the famfs {} as its primary",
                                head.superblock.fs_uuid.ToString());
    case DeviceHead::Kind::kSecondary:
      if (head.superblock.fs_uuid != fs_uuid) {
        return FailedPrecondition("belongs to the famfs {}",
                                  head.superblock.fs_uuid.ToString());
      }
      uuid = head.superblock.device_uuid;
      break;
    case DeviceHead::Kind::kBlank:
      if (uuid.is_nil()) return FailedPrecondition("has neither tag nor head");
      if (wanted.device_uuid.is_nil()) {
        return FailedPrecondition("has no head, by which alone it is known");
      }
      break;
  }
  if (wanted.device_uuid.is_nil()) {
    FAMFS_RETURN_IF_ERROR(CheckUnnamed(uuid, added));
  } else if (uuid != wanted.device_uuid) {
    return FailedPrecondition("is the device {}", uuid.ToString());
  }
  if (device.size() < wanted.size) {
    return FailedPrecondition("has only {} of {} bytes", device.size(),
                              wanted.size);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<DeviceSet>> DeviceSet::Open(
    std::string_view primary, std::vector<std::string> candidates,
    Access access, Opener opener) {
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<DaxDevice> device,
                         opener(primary, access));
  auto set = std::make_shared<DeviceSet>(std::move(device));
  set->access_ = access;
  set->opener_ = std::move(opener);
  for (std::string& spec : candidates) {
    set->candidates_.push_back(
        {.spec = std::move(spec), .device = nullptr, .refused = {}});
  }
  return set;
}

void DeviceSet::AddCandidate(std::shared_ptr<DaxDevice> device) {
  const std::lock_guard lock(mutex_);
  candidates_.push_back(
      {.spec = {}, .device = std::move(device), .refused = {}});
}

void DeviceSet::SetSource(SpecSource source) {
  const std::lock_guard lock(mutex_);
  source_ = std::move(source);
}

void DeviceSet::AskSourceLocked() {
  if (source_ == nullptr) return;
  for (std::string& spec : source_()) {
    const bool known = std::any_of(
        candidates_.begin(), candidates_.end(),
        [&](const Candidate& candidate) { return candidate.spec == spec; });
    if (known) continue;
    candidates_.push_back(
        {.spec = std::move(spec), .device = nullptr, .refused = {}});
  }
}

void DeviceSet::SetTable(const Uuid& fs_uuid,
                         std::span<const MediaAddDaxdev> added) {
  const std::lock_guard lock(mutex_);
  fs_uuid_ = fs_uuid;
  added_.assign(added.begin(), added.end());
  found_.resize(added_.size());
}

std::size_t DeviceSet::size() const {
  const std::lock_guard lock(mutex_);
  return added_.size() + 1;
}

absl::Status DeviceSet::TryLocked(Candidate& candidate,
                                  const MediaAddDaxdev& wanted) {
  const bool opened_now = candidate.device == nullptr;
  if (opened_now) {
    FAMFS_ASSIGN_OR_RETURN(candidate.device, opener_(candidate.spec, access_));
  }
  absl::Status status =
      CheckIdentity(*candidate.device, fs_uuid_, wanted, added_);
  // Not kept open: what stands under the name may be another one next time.
  if (!status.ok() && !candidate.spec.empty()) candidate.device.reset();
  return status;
}

std::shared_ptr<DaxDevice> DeviceSet::FindLocked(std::uint64_t index) {
  if (index == 0) return primary_;
  if (index > added_.size()) return nullptr;
  Found& found = found_[index - 1];
  if (found.device != nullptr) return found.device;
  AskSourceLocked();
  for (Candidate& candidate : candidates_) {
    if (candidate.taken) continue;
    const absl::Status status = TryLocked(candidate, added_[index - 1]);
    candidate.refused = std::string(Message(status));
    if (!status.ok()) continue;
    const auto medium = candidate.device->ProbeMedium()();
    if (!medium.ok()) continue;
    candidate.taken = true;
    found = {.device = candidate.device, .medium = *medium};
    break;
  }
  return found.device;
}

absl::Status DeviceSet::VerifyLocked(std::size_t i) const {
  DaxDevice& device = *found_[i].device;
  FAMFS_ASSIGN_OR_RETURN(const DaxDevice::Medium now, device.ProbeMedium()());
  if (now != found_[i].medium) {
    return FailedPrecondition("was removed and made anew");
  }
  return CheckIdentity(device, fs_uuid_, added_[i], added_);
}

void DeviceSet::Verify() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (found_[i].device == nullptr) continue;
    const absl::Status status = VerifyLocked(i);
    if (status.ok()) continue;
    spdlog::error(
        "device {} of the instance is lost: {} {}; files on it cannot be used",
        i + 1, found_[i].device->spec(), Message(status));
    for (Candidate& candidate : candidates_) {
      if (candidate.device != found_[i].device) continue;
      candidate.taken = false;
      candidate.refused = std::string(Message(status));
      if (!candidate.spec.empty()) candidate.device.reset();
    }
    found_[i] = {};
  }
}

std::shared_ptr<DaxDevice> DeviceSet::Find(std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  return FindLocked(index);
}

absl::StatusOr<std::shared_ptr<DaxDevice>> DeviceSet::At(std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  if (auto device = FindLocked(index); device != nullptr) return device;
  if (index > added_.size()) {
    return Internal("device {} is in no entry of the log", index);
  }
  const MediaAddDaxdev& wanted = added_[index - 1];
  std::string tried;
  for (const Candidate& candidate : candidates_) {
    if (candidate.taken) continue;
    tried += fmt::format(
        "; {}: {}",
        candidate.spec.empty() ? candidate.device->spec() : candidate.spec,
        candidate.refused);
  }
  return Unavailable(
      "device {} of the instance (uuid {}, {}) is missing; name it with "
      "--device or in the pool's `devices:`{}",
      index, wanted.device_uuid.ToString(), FormatSize(wanted.size), tried);
}

}  // namespace famfs
