// What a Reader tells of deleted and promised space.
#include <map>

#include "instance/reader.h"
#include "instance/space.h"

namespace famfs {

std::vector<HostStatus> Reader::Hosts(const ThisHost& self) const {
  const std::vector<HostRow> rows =
      LoadHosts(layout_.head(), layout_.superblock().fs_uuid);
  const std::shared_lock lock(mutex_);
  return JudgeHosts(rows, self, player_->pending());
}

std::vector<PendingVolume> Reader::Deletions(std::uint64_t above) const {
  std::vector<PendingVolume> deletions;
  const std::shared_lock lock(mutex_);
  for (const auto& [directory, volume] : player_->pending()) {
    if (volume.deletion_number > above) deletions.push_back(volume);
  }
  return deletions;
}

PoolFigures Reader::SpaceFigures(const ThisHost& self) const {
  PoolFigures figures = Figures();
  // Unlinked extent files wait for nobody and are promised by nobody.
  if (device_->has_extent_files()) {
    figures.releasable = figures.pending;
    return figures;
  }
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  const std::vector<HostRow> rows = LoadHosts(layout_.head(), fs_uuid);
  const CleanRanges clean = CleanRanges::Look(layout_.head(), fs_uuid);
  const auto owner = layout_.LoadOwner();
  const std::uint64_t epoch =
      owner.ok() && owner->has_value() ? (*owner)->epoch : 0;
  std::vector<Reservation> lost;
  const std::shared_lock lock(mutex_);
  // Looked up in copies: the reader's own player must not take promised space.
  std::map<std::uint64_t, ExtentAllocator> free;
  for (const Reservation& row : LoadReservations(layout_.head(), fs_uuid)) {
    const MediaExtent& extent = row.record.extent;
    const bool is_lost = row.record.epoch < epoch;
    if (is_lost) lost.push_back(row);
    // A scrub promises what is pending and not free.
    if (extent.device_index > player_->devices().size()) continue;
    ExtentAllocator& allocator =
        free.try_emplace(extent.device_index,
                         player_->allocator(extent.device_index))
            .first->second;
    if (!allocator.Take({extent.offset, extent.length}).ok()) continue;
    figures.free -= extent.length;
    (is_lost ? figures.quarantined : figures.reserved) += extent.length;
  }
  JudgePending(rows, self, player_->pending(), clean, lost, figures);
  return figures;
}

}  // namespace famfs
