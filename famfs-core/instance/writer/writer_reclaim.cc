// Steps 2 to 4 of a deletion as the owner sees them (docs/design.md §5): wait
// for the hosts, scrub, and let a compaction drop the entries.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "dax/scrub.h"
#include "instance/deletion/space.h"
#include "instance/devices/memory_source.h"
#include "instance/devices/metadata_store.h"
#include "instance/writer/writer.h"

namespace famfs {

/// A deleted volume that may be scrubbed now, and what of it is not zero yet.
struct Writer::ScrubJob {
  std::string directory;
  std::uint64_t deletion_number = 0;
  std::vector<MediaExtent> extents;
};

std::vector<HostStatus> Writer::Hosts() const {
  const std::vector<HostRow> rows =
      LoadHosts(layout_.head(), layout_.superblock().fs_uuid);
  const ReaderMutexLock lock(mutex_);
  return JudgeHosts(rows, self_, player_->pending());
}

absl::Status Writer::EvictHost(const Uuid& host) {
  FAMFS_RETURN_IF_ERROR(famfs::EvictHost(*device_, host));
  const WriterMutexLock lock(mutex_);
  EndQuarantinesLocked();
  return absl::OkStatus();
}

absl::Status Writer::Reclaim() {
  FAMFS_RETURN_IF_ERROR(AdmitDevices());
  if (WaitsForHosts()) FAMFS_RETURN_IF_ERROR(ScrubReleased());
  return Compact();
}

bool Writer::ReclaimHelps() const {
  const ReaderMutexLock lock(mutex_);
  return DroppableLocked() > 0 || !dying_.empty() || !stuck_.empty() ||
         !lost_.empty() || (WaitsForHosts() && !player_->pending().empty());
}

/// What a holder gave up, or lost by eviction or by its end.
void Writer::EndQuarantinesLocked() {
  std::erase_if(lost_, [&](const Reservation& lost) {
    if (!reservations_.Stands(lost)) {
      reservations_.NoteCleared(lost.row);
    } else if (IsOver(lost.record)) {
      reservations_.Clear(lost.row);
    } else {
      return false;
    }
    if (lost_is_taken_.erase(lost.row) > 0) {
      IgnoreError(FreeLocked(lost.record.extent), "LoadTables took it");
    }
    return true;
  });
}

bool Writer::IsPresentLocked(const PendingVolume& volume) const {
  return std::all_of(volume.extents.begin(), volume.extents.end(),
                     [this](const MediaExtent& extent) {
                       return admitted_[extent.device_index] != nullptr;
                     });
}

absl::StatusOr<std::vector<Writer::ScrubJob>> Writer::FindScrubs() {
  const WriterMutexLock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  EndQuarantinesLocked();
  std::vector<ScrubJob> jobs;
  if (player_->pending().empty()) return jobs;
  // After the deletions were appended: a host that registers later has seen
  // them before it opens a file.
  const std::uint64_t let_go = LetGoByAll(
      LoadHosts(layout_.head(), layout_.superblock().fs_uuid), self_);
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  for (const auto& [directory, volume] : player_->pending()) {
    if (scrubbed_.contains(directory) || !IsPresentLocked(volume) ||
        IsQuarantined(volume, let_go, lost_)) {
      continue;
    }
    ScrubJob job{.directory = directory,
                 .deletion_number = volume.deletion_number,
                 .extents = {}};
    for (const MediaExtent& extent : volume.extents) {
      if (!clean_.Covers(extent)) job.extents.push_back(extent);
    }
    jobs.push_back(std::move(job));
  }
  // The oldest first, in every run alike.
  std::sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    return a.deletion_number < b.deletion_number;
  });
  return jobs;
}

absl::Status Writer::ScrubReleased() {
  const std::lock_guard one(scrub_mutex_);
  FAMFS_ASSIGN_OR_RETURN(const std::vector<ScrubJob> jobs, FindScrubs());
  std::uint64_t total = 0;
  for (const ScrubJob& job : jobs) {
    for (const MediaExtent& extent : job.extents) total += extent.length;
  }
  scrub_done_ = 0;
  scrub_total_ = total;
  absl::Status status;
  for (const ScrubJob& job : jobs) {
    status = ScrubVolume(job);
    if (!status.ok()) break;
  }
  scrub_total_ = 0;
  return status;
}

absl::Status Writer::ScrubVolume(const ScrubJob& job) {
  std::vector<std::size_t> rows;
  {
    // A successor must not hand this space out while our stores may still be
    // under way.
    const WriterMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(CheckStillOwner());
    FAMFS_RETURN_IF_ERROR(PromiseLocked(job.extents, rows));
  }
  absl::Status status;
  for (const MediaExtent& extent : job.extents) {
    if (!status.ok()) break;
    const std::uint64_t before = scrub_done_;
    const auto device = devices_->At(extent.device_index);
    const auto step = [&](std::uint64_t done) {
      scrub_done_ = before + done;
      if (cancel_reclaim_) return Aborted("the scrub was told to stop");
      const auto now = devices_->At(extent.device_index);
      if (!now.ok()) return now.status();
      if (*now != *device) return Unavailable("its device was away meanwhile");
      const WriterMutexLock lock(mutex_);
      return CheckStillOwner();
    };
    status = device.ok() ? Scrub(**device, {extent.offset, extent.length},
                                 {.step = step})
                         : device.status();
    scrub_done_ = before + extent.length;
  }
  const WriterMutexLock lock(mutex_);
  if (const absl::Status owner = CheckStillOwner(); !owner.ok()) {
    RetractPromisesLocked(rows);  // the successor waits for them
    return owner;
  }
  if (status.ok()) {
    for (const MediaExtent& extent : job.extents) clean_.Add(extent);
    scrubbed_.insert(job.directory);
  }
  for (const std::size_t row : rows) reservations_.Clear(row);
  return status;
}

absl::Status Writer::PromiseLocked(std::span<const MediaExtent> extents,
                                   std::vector<std::size_t>& rows) {
  for (const MediaExtent& extent : extents) {
    const auto row = reservations_.Add(
        {.extent = extent, .holder = self_.host, .epoch = state_.writer_epoch});
    if (!row.ok()) {
      for (const std::size_t made : rows) reservations_.Clear(made);
      rows.clear();
      return row.status();
    }
    rows.push_back(*row);
  }
  return absl::OkStatus();
}

/// The space of a new claim: no longer clean, and promised unless nothing will
/// be stored there.
absl::Status Writer::PromiseClaimLocked(const Wanted& wanted, Claim& claim) {
  if (!WaitsForHosts()) return absl::OkStatus();
  std::vector<MediaExtent> to_store;
  for (const MediaExtent& extent : claim.extents) {
    const bool clean = clean_.Covers(extent);
    clean_.Forget(extent);
    claim.is_zero.push_back(clean);
    if (!clean || wanted.to_fill) to_store.push_back(extent);
  }
  const absl::Status promised = PromiseLocked(to_store, claim.promises);
  if (promised.ok()) return promised;
  for (const MediaExtent& extent : claim.extents) {
    IgnoreError(FreeLocked(extent), "it was allocated a moment ago");
    claimed_.erase(std::find(claimed_.begin(), claimed_.end(), extent));
  }
  return promised;
}

void Writer::EndPromisesLocked(const Claim& claim) {
  for (const std::size_t row : claim.promises) reservations_.Clear(row);
}

void Writer::RetractPromisesLocked(std::span<const std::size_t> rows) {
  for (const std::size_t row : rows) {
    reservations_.ClearIfOf(row, self_.host, state_.writer_epoch);
  }
}

bool Writer::IsOver(const ReservationRecord& promise) const {
  if (!lock_.held() || promise.holder != self_.host) return false;
  // A writer that keeps its locks elsewhere was not excluded by ours. Where
  // there are no marks, the lock has to do.
  return !IsMarked(*device_, Use::kWriting, promise.epoch).value_or(false);
}

/// When opening: what the tables say that the log does not contradict.
void Writer::LoadTables() {
  if (!WaitsForHosts()) return;
  Mapping& head = layout_.head();
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  reservations_ = Reservations(head, fs_uuid);
  clean_ = CleanRanges(head, fs_uuid);
  clean_.Forget({0, 0, layout_.data_start()});
  for (const auto& [id, node] : player_->tree().nodes()) {
    for (const MediaExtent& extent : node->extents) clean_.Forget(extent);
  }
  for (const Reservation& row : LoadReservations(head, fs_uuid)) {
    TakeUpReservation(row);
  }
  for (const auto& [directory, volume] : player_->pending()) {
    const bool clean = std::all_of(
        volume.extents.begin(), volume.extents.end(),
        [&](const MediaExtent& extent) { return clean_.Covers(extent); });
    if (clean && !IsQuarantined(volume, ~std::uint64_t{0}, lost_)) {
      scrubbed_.insert(directory);
    }
  }
}

/// A row that an earlier writer left. It may still be stored to, unless that
/// writer was of this host and is gone.
void Writer::TakeUpReservation(const Reservation& row) {
  const MediaExtent& extent = row.record.extent;
  const bool is_own = row.record.holder == self_.host;
  if (IsOver(row.record) || extent.device_index > player_->devices().size()) {
    reservations_.Clear(row.row);
    return;
  }
  if (TakeLocked(extent).ok()) {
    lost_is_taken_.insert(row.row);
  } else if (std::none_of(player_->pending().begin(), player_->pending().end(),
                          [&](const auto& pending) {
                            return IsQuarantined(pending.second,
                                                 ~std::uint64_t{0},
                                                 std::span(&row, 1));
                          })) {
    // A file covers it: the promise was kept, only its row was left.
    reservations_.Clear(row.row);
    return;
  }
  lost_.push_back(row);
  spdlog::warn(
      "{}: {} bytes at {:#x} stay reserved: the writer of epoch {} on {} "
      "promised them, and may still store there; {}",
      device_->spec(), extent.length, extent.offset, row.record.epoch,
      is_own ? std::string("this host, which does not share this one's lock,")
             : fmt::format("the host {}", row.record.holder.ToString()),
      is_own ? "they come back when that process has ended"
             : "`famfs evict` gives them back when that host is dead");
}

PoolFigures Writer::Figures() const {
  std::vector<HostRow> rows;
  if (WaitsForHosts()) {
    rows = LoadHosts(layout_.head(), layout_.superblock().fs_uuid);
  }
  const std::vector<BackingAnswer> backings = AskBackings();
  const ReaderMutexLock lock(mutex_);
  PoolFigures figures{.entries = player_->next_index(), .slots = SlotsLocked()};
  const std::vector<std::uint64_t> sizes = DeviceSizesLocked();
  std::vector<const ExtentAllocator*> allocators(sizes.size(), nullptr);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (admitted_[i] == nullptr) continue;
    const ExtentAllocator& allocator = player_->allocator(i);
    allocators[i] = &allocator;
    figures.size += sizes[i];
    figures.free += allocator.free_bytes();
    figures.largest = std::max(figures.largest, allocator.largest_free());
    for (const Range& range : player_->PendingOn(i)) {
      figures.pending += range.length;
    }
  }
  figures.unbacked = Unbacked(FindSources(backings, allocators), allocators);
  for (const MediaExtent& extent : dying_) figures.pending += extent.length;
  for (const MediaExtent& extent : stuck_) figures.pending += extent.length;
  for (const MediaExtent& extent : claimed_) figures.reserved += extent.length;
  if (!WaitsForHosts()) {
    figures.releasable = figures.pending;
    return figures;
  }
  JudgePending(rows, self_, player_->pending(), clean_, lost_, figures);
  for (const Reservation& lost : lost_) {
    if (lost_is_taken_.contains(lost.row)) {
      figures.quarantined += lost.record.extent.length;
    }
  }
  figures.scrub_done = scrub_done_;
  figures.scrub_total = scrub_total_;
  return figures;
}

}  // namespace famfs
