// What a server that died left behind is bound again from its successor.
#include <spdlog/spdlog.h>

#include <set>
#include <utility>

#include "node/attachments.h"
#include "node/mounts.h"

namespace famfs::node {

absl::Status Attachments::RebindOne(const ServedPool& served,
                                    const csi::VolumeId& volume,
                                    const std::string& path) {
  const auto volume_lock = by_volume_.Lock(volume.ToString());
  const auto path_lock = by_path_.Lock(path);
  FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                         VolumeMounts::Read(pools_directory_));
  // A call may have replaced it meanwhile.
  if (mounts.Examine(path, volume) != PlaceState::kDead) {
    return absl::OkStatus();
  }
  const csi::MountFlags flags = AttributesOf(*mounts.table().Top(path));
  FAMFS_ASSIGN_OR_RETURN(const Place place,
                         Place::Resolve(path, kubelet_path_));
  FAMFS_ASSIGN_OR_RETURN(
      const UniqueFd clone,
      CloneMount(VolumePath(served.mount_point, volume, flags.read_only)));
  FAMFS_RETURN_IF_ERROR(SetAttributes(clone, flags));
  // The lowest mount stays, dead, below the new one: a container that follows
  // the node's mounts (HostToContainer) has a copy of it, and only what is
  // mounted on it reaches that container.
  while (true) {
    FAMFS_ASSIGN_OR_RETURN(const VolumeMounts now,
                           VolumeMounts::Read(pools_directory_));
    if (now.Examine(path, volume) != PlaceState::kDead ||
        now.table().At(path).size() == 1) {
      break;
    }
    FAMFS_RETURN_IF_ERROR(DetachTop(place));
  }
  FAMFS_RETURN_IF_ERROR(AttachMount(clone, place));
  spdlog::info("volume {}: bound again at {}{}", volume.ToString(), path,
               flags.read_only ? ", read-only" : "");
  return absl::OkStatus();
}

void Attachments::Rebind(Pool& pool, const ServedPool& served) {
  const auto mounts = VolumeMounts::Read(pools_directory_);
  const auto fs_uuid = pool.fs_uuid();
  if (!mounts.ok() || !fs_uuid.has_value()) {
    spdlog::error("nothing was bound again in pool {}: {}", pool.name(),
                  Message(mounts.status()));
    return;
  }
  std::set<std::pair<std::string, std::string>> dead;  // directory, path
  for (const MountEntry* entry : mounts->DeadDirectories()) {
    dead.emplace(VolumeDirectoryOf(*entry), entry->mount_point);
  }
  for (const auto& [directory, path] : dead) {
    const csi::VolumeId volume = csi::MakeVolumeId(*fs_uuid, directory);
    // Another pool's, or deleted: then there is nothing to bind.
    if (!pool.Find(volume).ok()) continue;
    const absl::Status status = RebindOne(served, volume, path);
    if (!status.ok()) {
      spdlog::error("volume {}: not bound again at {}: {}", volume.ToString(),
                    path, Message(status));
    }
    // The new server is gone as well: its successor's turn comes.
    if (status.code() == absl::StatusCode::kUnavailable) return;
  }
}

}  // namespace famfs::node
