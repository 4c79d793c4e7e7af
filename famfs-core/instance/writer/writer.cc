#include "instance/writer/writer.h"

#include <algorithm>

#include "instance/deletion/space.h"
#include "instance/writer/placing.h"
#include "instance/writer/writer_parts.h"

namespace famfs {

Writer::Writer(std::unique_ptr<WriterParts> parts) : parts_(std::move(parts)) {}

Writer::~Writer() = default;

// The tree's address never changes, and the view takes the lock.
Reader::View Writer::Tree() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return {parts_->state.mutex, parts_->state.log.tree()};
}

const MediaSuperblock& Writer::superblock() const {
  return parts_->state.layout->superblock();
}

std::shared_ptr<DaxDevice> Writer::device() const {
  return parts_->state.device;
}

const std::shared_ptr<DeviceSet>& Writer::devices() const {
  return parts_->state.devices;
}

std::vector<MediaAddDaxdev> Writer::AddedDevices() const {
  const ReaderMutexLock lock(parts_->state.mutex);
  return parts_->state.log.player().devices();
}

absl::Status Writer::CheckStanding() {
  return parts_->admission.CheckStanding();
}

bool Writer::stopped() const {
  const ReaderMutexLock lock(parts_->state.mutex);
  return !parts_->state.log.stopped().ok();
}

std::vector<MediaExtent> Writer::MissingExtents() const {
  return parts_->admission.MissingExtents();
}

std::vector<HostStatus> Writer::Hosts() const {
  const WriterState& state = parts_->state;
  const std::vector<HostRow> rows =
      LoadHosts(state.layout->head(), state.layout->superblock().fs_uuid);
  const ReaderMutexLock lock(state.mutex);
  return JudgeHosts(rows, state.self, state.log.player().pending());
}

absl::Status Writer::EvictHost(const Uuid& host) {
  WriterState& state = parts_->state;
  FAMFS_RETURN_IF_ERROR(famfs::EvictHost(*state.device, host));
  const WriterMutexLock lock(state.mutex);
  state.promises.EndLost(state.log);
  return absl::OkStatus();
}

absl::Status Writer::Reclaim() { return parts_->reclamation.Run(); }

absl::Status Writer::RefillMemory() { return parts_->refill.Run(); }

std::uint64_t Writer::refilled_bytes() const { return parts_->refill.bytes(); }

Writer::Scrubbing Writer::ScrubProgress() const {
  return {parts_->reclamation.done(), parts_->reclamation.total()};
}

void Writer::CancelReclaim() { parts_->reclamation.Cancel(); }

absl::Status Writer::CheckPlacement(const VolumePlacement& placement) const {
  return VolumeFile(parts_->state, placement).status();
}

absl::StatusOr<AvailableSpace> Writer::GetAvailableSpace(
    const VolumePlacement& placement) {
  FAMFS_RETURN_IF_ERROR(parts_->admission.Admit());
  FAMFS_RETURN_IF_ERROR(CheckPlacement(placement));
  if (parts_->compactor.Helps()) {
    if (const absl::Status compacted = Compact();
        !compacted.ok() && !absl::IsResourceExhausted(compacted)) {
      return compacted;
    }
  }
  return AvailableSpaceNow(placement);
}

absl::StatusOr<AvailableSpace> Writer::AvailableSpaceNow(
    const VolumePlacement& placement) const {
  return famfs::AvailableSpaceNow(parts_->state, placement);
}

absl::Status Writer::AddDevice(const std::shared_ptr<DaxDevice>& device,
                               const AddDeviceOptions& options) {
  return parts_->adder.Add(device, options);
}

TreeAnswer Writer::ChangeTree(const TreeRequest& request,
                              const RequestMark& mark) {
  return parts_->trees.Apply(request, mark);
}

void Writer::FinishRequest(std::size_t row, std::uint32_t session,
                           std::uint64_t number) {
  parts_->notes.Finish(row, session, number);
}

std::optional<DoneRequest> Writer::LastRequestOf(std::uint32_t session) const {
  const ReaderMutexLock lock(parts_->state.mutex);
  const auto& done = parts_->state.log.player().done();
  const auto it = done.find(session);
  return it == done.end() ? std::nullopt : std::optional(it->second);
}

KnownDone Writer::DoneOf(std::size_t row, std::uint32_t session) const {
  return parts_->notes.Find(row, session);
}

absl::Status Writer::NoteDone(std::size_t row, std::uint32_t session,
                              std::uint64_t number, const TreeAnswer& answer) {
  return parts_->notes.Note(row, session, number, answer);
}

absl::Status Writer::Compact() { return parts_->compactor.Compact(); }

}  // namespace famfs
