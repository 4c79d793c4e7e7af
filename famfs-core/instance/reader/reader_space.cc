// What a Reader tells of deleted and promised space.
#include <algorithm>
#include <map>

#include "instance/deletion/space.h"
#include "instance/reader/reader.h"

namespace famfs {

std::vector<HostStatus> Reader::Hosts(const ThisHost& self) const {
  const std::vector<HostRow> rows =
      LoadHosts(layout_.head(), layout_.superblock().fs_uuid);
  const ReaderMutexLock lock(mutex_);
  return JudgeHosts(rows, self, player_->pending());
}

std::vector<PendingVolume> Reader::Deletions(std::uint64_t above) const {
  std::vector<PendingVolume> deletions;
  const ReaderMutexLock lock(mutex_);
  for (const auto& [directory, volume] : player_->pending()) {
    if (volume.deletion_number > above) deletions.push_back(volume);
  }
  return deletions;
}

std::vector<MediaAddDaxdev> Reader::AddedDevices() const {
  const ReaderMutexLock lock(mutex_);
  return player_->devices();
}

SpaceReport Reader::Space(const ThisHost& self) const {
  SpaceReport report{.figures = Figures(), .deleted = {}, .promised = {}};
  // Unlinked extent files wait for nobody and are promised by nobody.
  const bool waits = !device_->has_extent_files();
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  std::vector<HostRow> rows;
  CleanRanges clean;
  std::vector<Reservation> promised;
  if (waits) {
    rows = LoadHosts(layout_.head(), fs_uuid);
    clean = CleanRanges::Look(layout_.head(), fs_uuid);
    promised = LoadReservations(layout_.head(), fs_uuid);
  }
  const auto owner = layout_.LoadOwner();
  const std::uint64_t epoch =
      owner.ok() && owner->has_value() ? (*owner)->epoch : 0;
  std::vector<Reservation> lost;
  PoolFigures& figures = report.figures;
  // Looking for a missing device may take its time: before the lock.
  std::vector<bool> present;
  for (std::size_t i = 0; i < devices_->size(); ++i) {
    present.push_back(devices_->Find(i) != nullptr);
  }
  const ReaderMutexLock lock(mutex_);
  // Looked up in copies: the reader's own player must not take promised space.
  std::map<std::uint64_t, ExtentAllocator> free;
  for (const Reservation& row : promised) {
    const MediaExtent& extent = row.record.extent;
    const bool is_lost = row.record.epoch < epoch;
    if (is_lost) lost.push_back(row);
    // Figures counts nothing of a missing device.
    if (extent.device_index >= present.size() ||
        !present[extent.device_index]) {
      continue;
    }
    // A scrub promises what is pending and not free.
    ExtentAllocator& allocator =
        free.try_emplace(extent.device_index,
                         player_->allocator(extent.device_index))
            .first->second;
    if (!allocator.Take({extent.offset, extent.length}).ok()) continue;
    report.promised.push_back(extent);
    figures.free -= extent.length;
    (is_lost ? figures.quarantined : figures.reserved) += extent.length;
  }
  const std::uint64_t let_go = LetGoByAll(rows, self);
  for (const auto& [directory, volume] : player_->pending()) {
    report.deleted.push_back(
        {.directory = directory,
         .state = waits ? JudgeVolume(volume, let_go, clean, lost)
                        : DeletedState::kReleasable,
         .space = volume});
  }
  std::sort(report.deleted.begin(), report.deleted.end(),
            [](const DeletedVolume& a, const DeletedVolume& b) {
              return a.directory < b.directory;
            });
  if (waits) {
    JudgePending(rows, self, player_->pending(), clean, lost, figures);
  } else {
    figures.releasable = figures.pending;
  }
  return report;
}

}  // namespace famfs
