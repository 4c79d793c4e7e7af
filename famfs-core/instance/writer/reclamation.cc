// Steps 2 to 4 of a deletion as the owner sees them (docs/design.md §5): wait
// for the hosts, scrub, and let a compaction drop the entries.
#include "instance/writer/reclamation.h"

#include <algorithm>

#include "dax/scrub.h"
#include "instance/deletion/host_table.h"
#include "instance/deletion/space.h"

namespace famfs {
namespace {

/// Rows of the reservations, of which there are kReservationRows for all.
constexpr std::size_t kPromisedAtOnce = 256;
static_assert(kPromisedAtOnce < kReservationRows / 4);

}  // namespace

absl::Status Reclamation::Run() {
  FAMFS_RETURN_IF_ERROR(admission_.Admit());
  absl::Status scrubbed;
  if (state_.WaitsForHosts()) scrubbed = ScrubReleased();
  if (cancelled_) {
    return scrubbed.ok() ? Aborted("reclaiming was told to stop") : scrubbed;
  }
  // Also when one of them could not be scrubbed: the others are, and what is in
  // the way of one volume must not keep the log from being emptied.
  const absl::Status compacted = compactor_.Compact();
  return scrubbed.ok() ? compacted : scrubbed;
}

bool Reclamation::Helps() const {
  const ReaderMutexLock lock(state_.mutex);
  return state_.CompactionHelps() || !state_.promises.lost().empty() ||
         (state_.WaitsForHosts() && !state_.log.player().pending().empty());
}

absl::Status Reclamation::CheckStillOwner() {
  const WriterMutexLock lock(state_.mutex);
  return state_.log.CheckStillOwner();
}

absl::StatusOr<std::vector<ScrubJob>> Reclamation::FindScrubs() {
  const WriterMutexLock lock(state_.mutex);
  OwnedLog& log = state_.log;
  FAMFS_RETURN_IF_ERROR(log.CheckStillOwner());
  state_.promises.EndLost(log);
  std::vector<ScrubJob> jobs;
  if (log.player().pending().empty()) return jobs;
  // After the deletions were appended: a host that registers later has seen
  // them before it opens a file.
  const Layout& layout = *state_.layout;
  const std::uint64_t let_go = LetGoByAll(
      LoadHosts(layout.head(), layout.superblock().fs_uuid), state_.self);
  FAMFS_RETURN_IF_ERROR(log.CheckMemory());
  for (const auto& [directory, volume] : log.player().pending()) {
    if (state_.scrubbed.directories().contains(directory) ||
        !state_.IsPresent(volume) ||
        IsQuarantined(volume, let_go, state_.promises.lost())) {
      continue;
    }
    jobs.push_back(state_.scrubbed.JobFor(directory, volume));
  }
  // The oldest first, in every run alike.
  std::sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    return a.deletion_number < b.deletion_number;
  });
  return jobs;
}

absl::Status Reclamation::ScrubReleased() {
  const MutexLock one(mutex_);
  FAMFS_ASSIGN_OR_RETURN(const std::vector<ScrubJob> jobs, FindScrubs());
  std::uint64_t total = 0;
  for (const ScrubJob& job : jobs) {
    for (const MediaExtent& extent : job.extents) total += extent.length;
  }
  done_ = 0;
  total_ = total;
  absl::Status first;
  for (const ScrubJob& job : jobs) {
    const absl::Status status = ScrubVolume(job);
    if (first.ok()) first = status;
    if (!status.ok() && (cancelled_ || !CheckStillOwner().ok())) break;
  }
  total_ = 0;
  return first;
}

/// In parts: one volume may have more extents than there are rows for promises,
/// and files that are made meanwhile need some of those.
absl::Status Reclamation::ScrubVolume(const ScrubJob& job) {
  ScrubJob part{.directory = job.directory,
                .deletion_number = job.deletion_number,
                .extents = {}};
  std::span<const MediaExtent> rest(job.extents);
  do {
    const auto now = rest.first(std::min(rest.size(), kPromisedAtOnce));
    rest = rest.subspan(now.size());
    part.extents.assign(now.begin(), now.end());
    FAMFS_RETURN_IF_ERROR(ScrubPart(part, rest.empty()));
  } while (!rest.empty());
  return absl::OkStatus();
}

absl::Status Reclamation::ScrubPart(const ScrubJob& part, bool is_last) {
  Promises::Rows rows;
  {
    // A successor must not hand this space out while our stores may still be
    // under way.
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
    FAMFS_RETURN_IF_ERROR(state_.promises.Make(part.extents, rows));
  }
  absl::Status status;
  for (const MediaExtent& extent : part.extents) {
    if (!status.ok()) break;
    status = ScrubExtent(extent);
  }
  const WriterMutexLock lock(state_.mutex);
  if (const absl::Status owner = state_.log.CheckStillOwner(); !owner.ok()) {
    state_.promises.Retract(rows);  // the successor waits for them
    return owner;
  }
  if (status.ok()) {
    state_.scrubbed.NoteZero(part);
    if (is_last) {
      state_.scrubbed.NoteDone(part, state_.log.player().pending());
    }
  }
  state_.promises.End(rows);
  return status;
}

absl::Status Reclamation::ScrubExtent(const MediaExtent& extent) {
  const std::uint64_t before = done_;
  FAMFS_ASSIGN_OR_RETURN(const auto device,
                         state_.devices->At(extent.device_index));
  const auto step = [&](std::uint64_t done) {
    done_ = before + done;
    if (cancelled_) return Aborted("the scrub was told to stop");
    const auto now = state_.devices->At(extent.device_index);
    if (!now.ok()) return now.status();
    if (*now != device) return Unavailable("its device was away meanwhile");
    return CheckStillOwner();
  };
  FAMFS_RETURN_IF_ERROR(
      Scrub(*device, {extent.offset, extent.length}, {.step = step}));
  done_ = before + extent.length;
  return absl::OkStatus();
}

}  // namespace famfs
