#include "controller/last_seen.h"

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "csi/volume/volume_id.h"

namespace famfs::controller {
namespace {

using Snapshot = std::shared_ptr<const PoolSnapshot>;

absl::StatusOr<Snapshot> SnapshotOf(Pool& pool) {
  if (Snapshot snapshot = pool.snapshot(); snapshot != nullptr) return snapshot;
  FAMFS_RETURN_IF_ERROR(pool.Standing());
  return Unavailable("pool {} was opened a moment ago; ask again", pool.name());
}

bool IsBefore(const VolumeInfo& volume, std::string_view directory) {
  return volume.directory < directory;
}

bool IsBehind(std::string_view directory, const VolumeInfo& volume) {
  return directory < volume.directory;
}

}  // namespace

absl::StatusOr<VolumeInfo> LastSeen::Find(std::string_view volume_id) {
  const absl::Status not_found = NotFound(
      "no volume has the id {}", Printable(volume_id, csi::kMaxVolumeId));
  const auto id = csi::ParseVolumeId(volume_id);
  if (!id.ok()) return not_found;
  absl::Status unavailable;
  for (const auto& pool : pools_.pools()) {
    const auto snapshot = SnapshotOf(*pool);
    if (!snapshot.ok()) {
      unavailable = snapshot.status();
      continue;
    }
    if (!id->BelongsTo((*snapshot)->fs_uuid)) continue;
    const PoolSnapshot::Volumes& volumes = *(*snapshot)->volumes;
    const auto at = std::lower_bound(volumes.begin(), volumes.end(),
                                     id->directory, IsBefore);
    if (at != volumes.end() && at->directory == id->directory) return *at;
    return not_found;
  }
  FAMFS_RETURN_IF_ERROR(unavailable);
  return not_found;
}

absl::StatusOr<Page> LastSeen::List(const std::optional<ListKey>& after,
                                    std::size_t max_entries) {
  Page page;
  for (Pool* pool : pools_.ByName()) {
    if (after.has_value() && pool->name() < after->pool) continue;
    FAMFS_ASSIGN_OR_RETURN(const Snapshot snapshot, SnapshotOf(*pool));
    const PoolSnapshot::Volumes& volumes = *snapshot->volumes;
    auto at = volumes.begin();
    if (after.has_value() && pool->name() == after->pool) {
      at = std::upper_bound(volumes.begin(), volumes.end(), after->directory,
                            IsBehind);
    }
    for (; at != volumes.end(); ++at) {
      if (!page.Add(*at, max_entries)) return page;
    }
  }
  return page;
}

absl::StatusOr<AvailableSpace> LastSeen::GetCapacity(
    const csi::VolumeParameters& parameters) {
  if (parameters.strips > 0) {
    return InvalidArgument(
        "the room for volumes in strips is not told here; ask on the "
        "controller's csi.sock");
  }
  FAMFS_ASSIGN_OR_RETURN(const Snapshot snapshot,
                         SnapshotOf(pools_.Get(parameters.pool)));
  // SnapshotOf answers a snapshot or an error, never null.
  // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
  const auto& of_files = parameters.data_path == DataPath::kCopy
                             ? snapshot->available_copy
                             : snapshot->available_auto;
  const auto& room = parameters.layout == VolumeLayout::kTree
                         ? snapshot->available_tree
                         : of_files;
  if (room.ok()) return room;
  return Unavailable("pool {}: {}", parameters.pool, Message(room.status()));
}

absl::Status LastSeen::CheckServable(const csi::VolumeParameters& parameters,
                                     const Capabilities& capabilities) {
  FAMFS_ASSIGN_OR_RETURN(const Snapshot snapshot,
                         SnapshotOf(pools_.Get(parameters.pool)));
  FAMFS_RETURN_IF_ERROR(CheckDataPath(parameters, snapshot->device));
  return CheckWriters(parameters, snapshot->device, capabilities);
}

}  // namespace famfs::controller
