#include "node/attachments.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "node/mounts.h"

namespace famfs::node {
namespace {

absl::Status NotOurs(const Place& place, const VolumeMounts& mounts,
                     std::string_view volume_id) {
  return FailedPrecondition(
      "{} is a mount point of something else ({}), not of volume {}; it was "
      "left as it is: unmount it, then call again",
      place.path(), Describe(*mounts.table().Top(place.path())), volume_id);
}

absl::Status ParentMissing(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kNotFound) return status;
  return FailedPrecondition("{}", Message(status));
}

// Dead mounts may be stacked: a recovery that was interrupted, a mount table
// that was copied from elsewhere.
absl::Status DetachDead(const Place& place, const csi::VolumeId& volume,
                        const std::string& pools_directory) {
  while (true) {
    FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                           VolumeMounts::Read(pools_directory));
    if (mounts.Examine(place.path(), volume) != PlaceState::kDead) {
      return absl::OkStatus();
    }
    FAMFS_RETURN_IF_ERROR(DetachTop(place));
  }
}

}  // namespace

Attachments::Attachments(Volumes& volumes, std::string kubelet_path,
                         std::string pools_directory)
    : volumes_(volumes),
      kubelet_path_(std::move(kubelet_path)),
      pools_directory_(std::move(pools_directory)) {}

absl::Status Attachments::BindStaged(const ServedPool& served,
                                     const csi::VolumeId& volume,
                                     const Place& place, PlaceState state) {
  FAMFS_ASSIGN_OR_RETURN(
      const UniqueFd clone,
      CloneMount(VolumePath(served.mount_point, volume, false)));
  if (state == PlaceState::kDead) {
    FAMFS_RETURN_IF_ERROR(DetachDead(place, volume, pools_directory_));
    spdlog::warn("volume {}: staging it again at {}, its server had died",
                 volume.ToString(), place.path());
  }
  FAMFS_RETURN_IF_ERROR(place.EnsureDirectory());
  return AttachMount(clone, place);
}

absl::Status Attachments::Stage(const std::string& volume_id,
                                const std::string& staging_path) {
  const auto volume_lock = by_volume_.Lock(volume_id);
  FAMFS_ASSIGN_OR_RETURN(const FoundVolume found, volumes_.Find(volume_id));
  auto place = Place::Resolve(staging_path, kubelet_path_);
  if (!place.ok()) return ParentMissing(place.status());
  const auto path_lock = by_path_.Lock(place->path());
  FAMFS_ASSIGN_OR_RETURN(const ServedPool served, found.pool->Served());
  FAMFS_RETURN_IF_ERROR(CheckDataPath(found.volume, served.data_path));
  FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                         VolumeMounts::Read(pools_directory_));
  const PlaceState state = mounts.Examine(place->path(), found.volume.id);
  if (state == PlaceState::kLive) return absl::OkStatus();
  if (state == PlaceState::kForeign) return NotOurs(*place, mounts, volume_id);
  FAMFS_RETURN_IF_ERROR(found.volume.devices);
  return BindStaged(served, found.volume.id, *place, state);
}

absl::Status Attachments::BindTarget(const std::string& source,
                                     const Place& target,
                                     const csi::MountFlags& flags,
                                     bool replaces_dead) {
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd clone, CloneMount(source));
  FAMFS_RETURN_IF_ERROR(SetAttributes(clone, flags));
  if (replaces_dead) return AttachMount(clone, target);
  FAMFS_ASSIGN_OR_RETURN(const bool made, target.MakeDirectory());
  absl::Status attached = AttachMount(clone, target);
  if (!attached.ok() && made) {
    IgnoreError(target.RemoveDirectory(), "the first error says more");
  }
  return attached;
}

absl::Status Attachments::Publish(const Publication& publication) {
  const auto volume_lock = by_volume_.Lock(publication.volume_id);
  FAMFS_ASSIGN_OR_RETURN(const FoundVolume found,
                         volumes_.Find(publication.volume_id));
  const csi::VolumeId& id = found.volume.id;
  csi::MountFlags flags = publication.flags;
  flags.read_only = flags.read_only || found.volume.sealed;
  auto staging = Place::Resolve(publication.staging_path, kubelet_path_);
  if (!staging.ok()) return ParentMissing(staging.status());
  auto target = Place::Resolve(publication.target_path, kubelet_path_);
  if (!target.ok()) return ParentMissing(target.status());
  const auto path_lock = by_path_.Lock(target->path());

  FAMFS_ASSIGN_OR_RETURN(const ServedPool served, found.pool->Served());
  FAMFS_RETURN_IF_ERROR(CheckDataPath(found.volume, served.data_path));
  FAMFS_RETURN_IF_ERROR(CheckWriters(publication.multi_node_writer,
                                     flags.read_only, served.data_path));
  FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                         VolumeMounts::Read(pools_directory_));
  const PlaceState at_target = mounts.Examine(target->path(), id);
  if (at_target == PlaceState::kForeign) {
    return NotOurs(*target, mounts, publication.volume_id);
  }
  if (at_target != PlaceState::kFree &&
      mounts.table().Top(target->path())->read_only() != flags.read_only) {
    return AlreadyExists(
        "{}: volume {} is published there {}; unpublish it before it is "
        "published otherwise",
        target->path(), publication.volume_id,
        flags.read_only ? "writable" : "read-only");
  }
  if (at_target == PlaceState::kLive) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(found.volume.devices);
  const auto elsewhere =
      mounts.ElsewhereThan(id, staging->path(), target->path());
  if (!elsewhere.empty() && !csi::AllowsSecondPublish(publication.mode)) {
    return FailedPrecondition(
        "volume {} is published at {}, and its access mode allows one path; "
        "unpublish it there first",
        publication.volume_id, elsewhere.front()->mount_point);
  }
  const PlaceState at_staging = mounts.Examine(staging->path(), id);
  if (at_staging == PlaceState::kForeign) {
    return NotOurs(*staging, mounts, publication.volume_id);
  }
  if (at_staging == PlaceState::kFree) {
    return FailedPrecondition(
        "volume {} is not staged at {}; call NodeStageVolume first",
        publication.volume_id, staging->path());
  }
  if (at_staging == PlaceState::kDead) {
    FAMFS_RETURN_IF_ERROR(BindStaged(served, id, *staging, at_staging));
  }
  if (at_target == PlaceState::kDead) {
    FAMFS_RETURN_IF_ERROR(DetachDead(*target, id, pools_directory_));
  }
  return BindTarget(VolumePath(served.mount_point, id, flags.read_only),
                    *target, flags, at_target == PlaceState::kDead);
}

absl::Status Attachments::RemoveMounts(const csi::VolumeId& volume,
                                       const Place& place) {
  while (true) {
    FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                           VolumeMounts::Read(pools_directory_));
    switch (mounts.Examine(place.path(), volume)) {
      case PlaceState::kFree:
        return absl::OkStatus();
      case PlaceState::kForeign:
        return NotOurs(place, mounts, volume.ToString());
      case PlaceState::kDead:
        FAMFS_RETURN_IF_ERROR(DetachTop(place));
        break;
      case PlaceState::kLive:
        FAMFS_RETURN_IF_ERROR(UnmountTop(place, mounts.table()));
        break;
    }
  }
}

absl::Status Attachments::Unstage(const std::string& volume_id,
                                  const std::string& staging_path) {
  const auto id = csi::ParseVolumeId(volume_id);
  auto place = Place::Resolve(staging_path, kubelet_path_);
  if (!id.ok() || place.status().code() == absl::StatusCode::kNotFound) {
    return absl::OkStatus();  // nothing of ours can be there
  }
  if (!place.ok()) return place.status();
  const auto volume_lock = by_volume_.Lock(volume_id);
  const auto path_lock = by_path_.Lock(place->path());
  return RemoveMounts(*id, *place);
}

absl::Status Attachments::Unpublish(const std::string& volume_id,
                                    const std::string& target_path) {
  const auto id = csi::ParseVolumeId(volume_id);
  auto place = Place::Resolve(target_path, kubelet_path_);
  if (!id.ok() || place.status().code() == absl::StatusCode::kNotFound) {
    return absl::OkStatus();  // nothing of ours can be there
  }
  if (!place.ok()) return place.status();
  const auto volume_lock = by_volume_.Lock(volume_id);
  const auto path_lock = by_path_.Lock(place->path());
  FAMFS_RETURN_IF_ERROR(RemoveMounts(*id, *place));
  return place->RemoveDirectory();
}

absl::Status Attachments::CheckMounted(const csi::VolumeId& volume,
                                       const std::string& path) {
  const auto place = Place::Resolve(path, kubelet_path_);
  if (!place.ok()) return NotFound("{}", Message(place.status()));
  FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                         VolumeMounts::Read(pools_directory_));
  const PlaceState state = mounts.Examine(place->path(), volume);
  if (state == PlaceState::kLive || state == PlaceState::kDead) {
    return absl::OkStatus();
  }
  return NotFound("volume {} is neither staged nor published at {}",
                  volume.ToString(), path);
}

}  // namespace famfs::node
