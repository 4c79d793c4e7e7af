#include "instance/devices/device_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/units.h"
#include "instance/devices/identity.h"
#include "instance/devices/secondary.h"

namespace famfs {
namespace {

constexpr std::chrono::seconds kPatience{5};

/// Whether a secondary of this uuid is the one whose entry cannot be read
/// (instance/log/salvage.h): the only such, and the only one without an entry.
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

/// Whether a superblock stands there as it did. Missing memory shows nothing
/// else either: who uses what lies there has that error.
bool IsSame(const Mapping& head, const MediaSuperblock& superblock) {
  MediaSuperblock now;
  head.Invalidate(0, sizeof(now));
  std::memcpy(static_cast<void*>(&now), head.data(), sizeof(now));
  return !head.Check().ok() || std::memcmp(static_cast<const void*>(&now),
                                           &superblock, sizeof(now)) == 0;
}

}  // namespace

absl::StatusOr<std::shared_ptr<DeviceSet>> DeviceSet::Open(
    const DeviceSpec& primary, std::vector<DeviceSpec> candidates,
    Access access, DeviceOpener opener) {
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<DaxDevice> device,
                         opener(primary, access));
  auto set = std::make_shared<DeviceSet>(std::move(device));
  set->access_ = access;
  set->opener_ = std::move(opener);
  const MutexLock lock(set->mutex_);
  for (DeviceSpec& spec : candidates) {
    set->candidates_.push_back(
        {.spec = std::move(spec), .device = nullptr, .refused = {}});
  }
  return set;
}

void DeviceSet::AddCandidate(std::shared_ptr<DaxDevice> device) {
  const MutexLock lock(mutex_);
  candidates_.push_back(
      {.spec = {}, .device = std::move(device), .refused = {}});
}

void DeviceSet::SetSource(SpecSource source) {
  const MutexLock lock(mutex_);
  source_ = std::move(source);
}

void DeviceSet::SetTable(const Uuid& fs_uuid,
                         std::span<const MediaAddDaxdev> added) {
  const MutexLock lock(mutex_);
  fs_uuid_ = fs_uuid;
  added_.assign(added.begin(), added.end());
  while (slots_.size() < added_.size()) slots_.emplace_back();
}

std::size_t DeviceSet::size() const {
  const MutexLock lock(mutex_);
  return added_.size() + 1;
}

bool DeviceSet::TakeTurn(bool& busy) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (busy && turn_ended_.WaitUntil(mutex_, end)) {
  }
  if (busy) return false;
  busy = true;
  return true;
}

void DeviceSet::EndTurn(bool& busy) {
  busy = false;
  turn_ended_.NotifyAll();
}

void DeviceSet::AskSource() {
  if (source_ == nullptr) return;
  const SpecSource source = source_;
  std::vector<DeviceSpec> specs;
  {
    const MutexUnlock unlock(mutex_);
    specs = source();
  }
  for (DeviceSpec& spec : specs) {
    const bool known = std::any_of(
        candidates_.begin(), candidates_.end(),
        [&](const Candidate& candidate) { return candidate.spec == spec; });
    if (known) continue;
    candidates_.push_back(
        {.spec = std::move(spec), .device = nullptr, .refused = {}});
  }
}

DeviceSet::Wanted DeviceSet::WantedAt(std::uint64_t index) const {
  return {.fs_uuid = fs_uuid_, .index = index, .added = added_};
}

absl::Status DeviceSet::CheckIdentity(const DaxDevice& device,
                                      const DeviceHead& head,
                                      const Wanted& wanted) {
  const MediaAddDaxdev& entry = wanted.added[wanted.index - 1];
  Uuid uuid = device.tag();
  switch (head.kind) {
    case DeviceHead::Kind::kPrimary:
      return FailedPrecondition("holds the famfs {} as its primary",
                                head.superblock.fs_uuid.ToString());
    case DeviceHead::Kind::kSecondary:
      if (head.superblock.fs_uuid != wanted.fs_uuid) {
        return FailedPrecondition("belongs to the famfs {}",
                                  head.superblock.fs_uuid.ToString());
      }
      uuid = head.superblock.device_uuid;
      break;
    case DeviceHead::Kind::kBlank:
      if (uuid.is_nil()) return FailedPrecondition("has neither tag nor head");
      if (entry.device_uuid.is_nil()) {
        return FailedPrecondition("has no head, by which alone it is known");
      }
      break;
  }
  if (entry.device_uuid.is_nil()) {
    FAMFS_RETURN_IF_ERROR(CheckUnnamed(uuid, wanted.added));
  } else if (uuid != entry.device_uuid) {
    return FailedPrecondition("is the device {}", uuid.ToString());
  }
  if (device.size() < entry.size) {
    return FailedPrecondition("has only {} of {} bytes", device.size(),
                              entry.size);
  }
  return absl::OkStatus();
}

absl::StatusOr<DeviceSet::Found> DeviceSet::Try(
    const DeviceSpec& spec, std::shared_ptr<DaxDevice>& device,
    const Wanted& wanted) const {
  if (device == nullptr) {
    FAMFS_ASSIGN_OR_RETURN(device, opener_(spec, access_));
  }
  Found found{
      .device = device, .medium = {}, .head = nullptr, .superblock = {}};
  // Before what is loaded from it: who takes its place later is told apart.
  FAMFS_ASSIGN_OR_RETURN(found.medium, device->ProbeMedium()());
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*device));
  FAMFS_RETURN_IF_ERROR(CheckIdentity(*device, head, wanted));
  if (head.kind == DeviceHead::Kind::kBlank) return found;
  FAMFS_ASSIGN_OR_RETURN(
      found.head,
      device->Map(kSuperblockOffset, kSuperblockRegion, Access::kRead));
  found.superblock = head.superblock;
  return found;
}

void DeviceSet::TryCandidate(Candidate& candidate, std::uint64_t index) {
  candidate.busy = true;
  candidate.refused = "does not answer";  // until it does
  std::shared_ptr<DaxDevice> device = candidate.device;
  const Wanted wanted = WantedAt(index);
  absl::StatusOr<Found> found;
  {
    const MutexUnlock unlock(mutex_);
    found = Try(candidate.spec, device, wanted);
  }
  candidate.refused = std::string(Message(found.status()));
  Slot& slot = slots_[index - 1];
  // By another name, somebody else may have found it meanwhile.
  candidate.taken = found.ok() && slot.found.device == nullptr;
  if (candidate.taken) slot.found = *std::move(found);
  // Not kept open: what stands under the name may be another one next time.
  if (candidate.taken || candidate.spec.empty()) candidate.device = device;
  EndTurn(candidate.busy);
}

/// Passes over candidates that others try, and comes back to them.
void DeviceSet::LookFor(std::uint64_t index) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  AskSource();
  const Slot& slot = slots_[index - 1];
  std::deque<bool> tried;  // by candidate
  for (bool left = true; left;) {
    left = false;
    tried.resize(candidates_.size());
    for (std::size_t i = 0; i < tried.size(); ++i) {
      if (slot.found.device != nullptr) return;
      Candidate& candidate = candidates_[i];
      if (candidate.taken || tried[i]) continue;
      if (candidate.busy) {
        left = true;
        continue;
      }
      tried[i] = true;
      TryCandidate(candidate, index);
    }
    if (slot.found.device != nullptr) return;
    if (left && !turn_ended_.WaitUntil(mutex_, end)) return;
  }
}

void DeviceSet::Lose(std::uint64_t index, const absl::Status& why) {
  Found& found = slots_[index - 1].found;
  spdlog::error(
      "device {} of the instance is lost: {} {}; files on it cannot be used",
      index, found.device->spec(), Message(why));
  for (Candidate& candidate : candidates_) {
    if (candidate.device != found.device) continue;
    candidate.taken = false;
    candidate.refused = std::string(Message(why));
    if (!candidate.spec.empty()) candidate.device.reset();
  }
  found = {};
}

absl::Status DeviceSet::LookAgain(const Found& found, const Wanted& wanted) {
  FAMFS_ASSIGN_OR_RETURN(const DaxDevice::Medium now,
                         found.device->ProbeMedium()());
  if (now != found.medium) {
    return FailedPrecondition("was removed and made anew");
  }
  if (found.head != nullptr) {
    FAMFS_RETURN_IF_ERROR(found.head->Renew());
    if (IsSame(*found.head, found.superblock)) return absl::OkStatus();
  }
  FAMFS_ASSIGN_OR_RETURN(const DeviceHead head, LoadDeviceHead(*found.device));
  return CheckIdentity(*found.device, head, wanted);
}

bool DeviceSet::LookAt(std::uint64_t index) {
  Slot& slot = slots_[index - 1];
  if (!TakeTurn(slot.busy)) return false;
  if (slot.found.device != nullptr) {
    const Found found = slot.found;
    const Wanted wanted = WantedAt(index);
    absl::Status status;
    {
      const MutexUnlock unlock(mutex_);
      status = LookAgain(found, wanted);
    }
    if (!status.ok()) Lose(index, status);
  }
  EndTurn(slot.busy);
  return true;
}

void DeviceSet::Verify() {
  const MutexLock lock(mutex_);
  for (std::size_t i = 1; i <= added_.size(); ++i) LookAt(i);
}

std::shared_ptr<DaxDevice> DeviceSet::Find(std::uint64_t index) {
  if (index == 0) return primary_;
  const MutexLock lock(mutex_);
  if (index > added_.size()) return nullptr;
  const Slot& slot = slots_[index - 1];
  if (slot.found.device == nullptr) LookFor(index);
  return slot.found.device;
}

absl::StatusOr<std::shared_ptr<DaxDevice>> DeviceSet::At(std::uint64_t index) {
  if (index == 0) return primary_;
  const MutexLock lock(mutex_);
  if (index > added_.size()) {
    return Internal("device {} is in no entry of the log", index);
  }
  const Slot& slot = slots_[index - 1];
  if (!LookAt(index)) {
    return Unavailable("device {} of the instance does not answer: {}", index,
                       slot.found.device == nullptr
                           ? "it is being looked for"
                           : slot.found.device->spec());
  }
  if (slot.found.device == nullptr) LookFor(index);
  if (slot.found.device != nullptr) return slot.found.device;
  return Missing(index);
}

bool DeviceSet::IsOurs(std::uint64_t index) const {
  if (index == 0) return true;
  std::shared_ptr<Mapping> head;
  Uuid fs_uuid;
  {
    const MutexLock lock(mutex_);
    if (index > added_.size()) return false;
    const Found& found = slots_[index - 1].found;
    if (found.device == nullptr) return false;
    if (found.head == nullptr) return true;
    head = found.head;
    fs_uuid = fs_uuid_;
  }
  return BearsSuperblockOf(*head, fs_uuid) && head->Check().ok();
}

absl::Status DeviceSet::Missing(std::uint64_t index) const {
  const MediaAddDaxdev& wanted = added_[index - 1];
  std::string tried;
  for (const Candidate& candidate : candidates_) {
    if (candidate.taken) continue;
    tried += fmt::format("; {}: {}",
                         candidate.spec.empty() ? candidate.device->spec()
                                                : candidate.spec.ToString(),
                         candidate.refused);
  }
  return Unavailable(
      "device {} of the instance (uuid {}, {}) is missing; name it with "
      "--device or in the pool's `devices:`{}",
      index, wanted.device_uuid.ToString(), FormatSize(wanted.size), tried);
}

}  // namespace famfs
