// What a server that died left behind is bound again from its successor. The
// table of mounts is read once for all of it; before a place is changed, the
// kernel says whether it is still as in that table.
#include <spdlog/spdlog.h>

#include <utility>

#include "node/mounts/mount_at.h"
#include "node/volumes/attachments.h"
#include "node/volumes/mounts.h"

namespace famfs::node {

absl::Status Attachments::RebindOne(const ServedPool& served,
                                    const csi::VolumeId& volume,
                                    const MountEntry& dead,
                                    const VolumeMounts& mounts) {
  const auto volume_lock = by_volume_.Lock(volume.ToString());
  const auto path_lock = by_path_.Lock(dead.mount_point);
  FAMFS_ASSIGN_OR_RETURN(const Place place, places_.Resolve(dead.mount_point));
  FAMFS_ASSIGN_OR_RETURN(const auto top,
                         FindMountAt(place.parent(), place.name()));
  // A call may have replaced it meanwhile, or taken it away.
  if (!top.has_value() || top->id != dead.id || top->device != dead.device) {
    return absl::OkStatus();
  }
  const csi::MountFlags flags = AttributesOf(dead);
  VolumeRoot root = *VolumeRootOf(dead);
  root.read_only = root.read_only || flags.read_only;
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd clone, CloneVolume(served, root));
  FAMFS_RETURN_IF_ERROR(SetAttributes(clone, flags));
  if (IsStaging(dead)) FAMFS_RETURN_IF_ERROR(MarkStaging(clone));
  // The lowest mount stays, dead, below the new one: a container that follows
  // the node's mounts (HostToContainer) has a copy of it, and only what is
  // mounted on it reaches that container.
  FAMFS_RETURN_IF_ERROR(DetachDead(place, volume, mounts, 1));
  FAMFS_RETURN_IF_ERROR(AttachMount(clone, place));
  spdlog::info("bound again at {}{}, volume_id={}", dead.mount_point,
               flags.read_only ? ", read-only" : "", volume.ToString());
  return absl::OkStatus();
}

bool Attachments::Rebind(Pool& pool, const ServedPool& served) {
  const auto mounts = VolumeMounts::Read(pools_directory_);
  const auto fs_uuid = pool.fs_uuid();
  if (!mounts.ok() || !fs_uuid.has_value()) {
    spdlog::error("nothing was bound again in pool {}: {}", pool.name(),
                  Message(mounts.status()));
    return false;
  }
  bool all = true;
  for (const MountEntry* dead : mounts->Dead()) {
    if (served.questions->stopped()) return false;
    const VolumeRoot root = *VolumeRootOf(*dead);
    // A subPath elsewhere is nobody's whom we know.
    if (!root.below.empty() &&
        !dead->mount_point.starts_with(kubelet_directory_ + "/")) {
      continue;
    }
    const csi::VolumeId volume = csi::MakeVolumeId(*fs_uuid, root.directory);
    absl::Status status = pool.Find(volume).status();
    // Another pool's, or deleted: then there is nothing to bind.
    if (absl::IsNotFound(status)) continue;
    if (status.ok()) status = RebindOne(served, volume, *dead, *mounts);
    if (status.ok()) continue;
    spdlog::error("not bound again at {}, volume_id={}: {}", dead->mount_point,
                  volume.ToString(), Message(status));
    if (!absl::IsUnavailable(status)) continue;
    all = false;
    // A server that has gone has a successor, whose turn comes; of one that
    // does not answer nothing else is to be had now.
    if (!pool.serving()->served.has_value() ||
        served.questions->overdue() > 0) {
      return false;
    }
  }
  return all;
}

}  // namespace famfs::node
