#include "node/volumes/attachments.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <utility>

#include "node/mounts/instances.h"
#include "node/mounts/mount_at.h"
#include "node/volumes/mounts.h"

namespace famfs::node {
namespace {

absl::Status NotOurs(const Place& place, const Standing& standing,
                     std::string_view volume_id) {
  const MountEntry* top = standing.mounts->table().Top(place.path());
  return FailedPrecondition(
      "{} is a mount point of something else ({}), not of volume {}; it was "
      "left as it is: unmount it, then call again",
      place.path(), top == nullptr ? "gone meanwhile" : Describe(*top),
      volume_id);
}

absl::Status ParentMissing(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kNotFound) return status;
  return FailedPrecondition("{}", Message(status));
}

std::string RealPath(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

}  // namespace

absl::Status DetachDead(const Place& place, const csi::VolumeId& volume,
                        const VolumeMounts& mounts, std::size_t keep) {
  std::vector<const MountEntry*> stack = mounts.table().At(place.path());
  while (stack.size() > keep && mounts.IsDead(*stack.back(), volume)) {
    FAMFS_RETURN_IF_ERROR(DetachTop(place));
    stack.pop_back();
  }
  return absl::OkStatus();
}

Attachments::Attachments(Pools& pools, const std::string& kubelet_path,
                         std::string pools_directory,
                         const VolumeMounts& mounts)
    : pools_(pools),
      kubelet_directory_(RealPath(kubelet_path)),
      pools_directory_(std::move(pools_directory)),
      places_(kubelet_path, pools_directory_),
      publications_(mounts) {}

absl::Status Attachments::CheckServed(const DeviceNumber& device,
                                      const csi::VolumeId& volume) const {
  FAMFS_ASSIGN_OR_RETURN(const auto instances,
                         ServedInstances(pools_directory_));
  if (instances.contains(device)) return absl::OkStatus();
  return Unavailable(
      "volume {}: its famfs-fused has gone and is being replaced; call again",
      volume.ToString());
}

absl::Status Attachments::Bind(const UniqueFd& clone, const Place& place,
                               const csi::VolumeId& volume,
                               const Standing& standing) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceNumber device, DeviceOf(clone.get()));
  bool made = false;
  if (standing.state == PlaceState::kDead) {
    FAMFS_RETURN_IF_ERROR(DetachDead(place, volume, *standing.mounts, 0));
  } else {
    FAMFS_ASSIGN_OR_RETURN(made, place.MakeDirectory());
  }
  absl::Status bound = AttachMount(clone, place);
  if (bound.ok()) {
    // A server that died since the clone was made has a successor by now, maybe
    // one that has looked for what is to be bound again before this was there.
    bound = CheckServed(device, volume);
    if (bound.ok()) return bound;
    FAMFS_RETURN_IF_ERROR(DetachTop(place));
  }
  if (made) IgnoreError(place.RemoveDirectory(), "the first error says more");
  return bound;
}

absl::Status Attachments::BindStaged(const ServedPool& served,
                                     const csi::VolumeId& volume,
                                     const Place& place,
                                     const Standing& standing) {
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd clone,
                         CloneVolume(served, {.directory = volume.directory}));
  FAMFS_RETURN_IF_ERROR(MarkStaging(clone));
  if (standing.state == PlaceState::kDead) {
    spdlog::warn("staging again at {}, its server had died, volume_id={}",
                 place.path(), volume.ToString());
  }
  return Bind(clone, place, volume, standing);
}

absl::Status Attachments::Stage(const std::string& volume_id,
                                const std::string& staging_path) {
  FAMFS_ASSIGN_OR_RETURN(const FoundVolume found, pools_.Find(volume_id));
  const csi::VolumeId& id = found.volume.id;
  const auto place = places_.Resolve(staging_path);
  if (!place.ok()) return ParentMissing(place.status());
  // Before the locks: who binds again what a dead server left takes them, too,
  // and only afterwards looks for the next server.
  FAMFS_ASSIGN_OR_RETURN(const ServedPool served, found.pool->Served());
  const auto volume_lock = by_volume_.Lock(volume_id);
  const auto path_lock = by_path_.Lock(place->path());
  FAMFS_RETURN_IF_ERROR(CheckDataPath(found.volume, served.data_path));
  FAMFS_ASSIGN_OR_RETURN(const Standing standing, ExamineAt(*place, id));
  if (standing.state == PlaceState::kForeign) {
    return NotOurs(*place, standing, volume_id);
  }
  if (standing.state == PlaceState::kLive) {
    // One that an earlier release has staged has no mark yet.
    return standing.staging ? absl::OkStatus() : MarkStaging(*place);
  }
  FAMFS_RETURN_IF_ERROR(found.volume.devices);
  return BindStaged(served, id, *place, standing);
}

absl::StatusOr<bool> Attachments::IsPublished(const Publication& publication,
                                              const Place& target,
                                              const Standing& standing,
                                              bool read_only) const {
  if (standing.state == PlaceState::kFree) return false;
  if (standing.state == PlaceState::kForeign) {
    return NotOurs(target, standing, publication.volume_id);
  }
  if (standing.read_only != read_only) {
    return AlreadyExists(
        "{}: volume {} is published there {}; unpublish it before it is "
        "published otherwise",
        target.path(), publication.volume_id,
        read_only ? "writable" : "read-only");
  }
  return standing.state == PlaceState::kLive;
}

absl::Status Attachments::CheckOnlyPublication(const Publication& publication,
                                               const csi::VolumeId& volume,
                                               const std::string& target) {
  for (const std::string& path : publications_.Of(volume.directory)) {
    if (path == target) continue;
    const auto place = places_.Resolve(path);
    if (absl::IsUnavailable(place.status())) return place.status();
    if (place.ok()) {
      FAMFS_ASSIGN_OR_RETURN(const Standing standing,
                             ExamineAt(*place, volume));
      if (standing.state == PlaceState::kLive ||
          standing.state == PlaceState::kDead) {
        return FailedPrecondition(
            "volume {} is published at {}, and its access mode allows one "
            "path; unpublish it there first",
            publication.volume_id, path);
      }
    }
    publications_.Remove(volume.directory, path);  // taken away by others
  }
  return absl::OkStatus();
}

absl::Status Attachments::Publish(const Publication& publication) {
  Attempt attempt;
  FAMFS_ASSIGN_OR_RETURN(attempt.found, pools_.Find(publication.volume_id));
  auto staging = places_.Resolve(publication.staging_path);
  if (!staging.ok()) return ParentMissing(staging.status());
  auto target = places_.Resolve(publication.target_path);
  if (!target.ok()) return ParentMissing(target.status());
  // Before the locks, as in Stage.
  FAMFS_ASSIGN_OR_RETURN(attempt.served, attempt.found.pool->Served());
  attempt.alone = !csi::AllowsSecondPublish(publication.mode);
  while (true) {
    const auto volume_lock = attempt.alone
                                 ? by_volume_.Lock(publication.volume_id)
                                 : by_volume_.LockShared(publication.volume_id);
    const auto path_lock = by_path_.Lock(target->path());
    FAMFS_ASSIGN_OR_RETURN(const bool done, PublishLocked(publication, attempt,
                                                          *staging, *target));
    if (done) return absl::OkStatus();
    attempt.alone = true;
  }
}

absl::StatusOr<bool> Attachments::PublishLocked(const Publication& publication,
                                                const Attempt& attempt,
                                                const Place& staging,
                                                const Place& target) {
  const auto& [found, served, alone] = attempt;
  const csi::VolumeId& id = found.volume.id;
  csi::MountFlags flags = publication.flags;
  flags.read_only = flags.read_only || found.volume.sealed;
  FAMFS_RETURN_IF_ERROR(CheckDataPath(found.volume, served.data_path));
  FAMFS_RETURN_IF_ERROR(CheckWriters(publication.multi_node_writer,
                                     flags.read_only, served.data_path));
  FAMFS_ASSIGN_OR_RETURN(const Standing at_target, ExamineAt(target, id));
  FAMFS_ASSIGN_OR_RETURN(
      const bool published,
      IsPublished(publication, target, at_target, flags.read_only));
  if (published) return true;
  FAMFS_RETURN_IF_ERROR(found.volume.devices);
  if (!csi::AllowsSecondPublish(publication.mode)) {
    FAMFS_RETURN_IF_ERROR(CheckOnlyPublication(publication, id, target.path()));
  }
  FAMFS_ASSIGN_OR_RETURN(const Standing at_staging, ExamineAt(staging, id));
  if (at_staging.state == PlaceState::kForeign) {
    return NotOurs(staging, at_staging, publication.volume_id);
  }
  if (at_staging.state == PlaceState::kFree) {
    return FailedPrecondition(
        "volume {} is not staged at {}; call NodeStageVolume first",
        publication.volume_id, staging.path());
  }
  if (at_staging.state == PlaceState::kDead) {
    if (!alone) return false;
    FAMFS_RETURN_IF_ERROR(BindStaged(served, id, staging, at_staging));
  }
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd clone,
                         CloneVolume(served, {.directory = id.directory,
                                              .read_only = flags.read_only}));
  FAMFS_RETURN_IF_ERROR(SetAttributes(clone, flags));
  FAMFS_RETURN_IF_ERROR(Bind(clone, target, id, at_target));
  publications_.Add(id.directory, target.path());
  return true;
}

absl::Status Attachments::RemoveMounts(const csi::VolumeId& volume,
                                       const Place& place) {
  while (true) {
    FAMFS_ASSIGN_OR_RETURN(const Standing standing, ExamineAt(place, volume));
    switch (standing.state) {
      case PlaceState::kFree:
        return absl::OkStatus();
      case PlaceState::kForeign:
        return NotOurs(place, standing, volume.ToString());
      case PlaceState::kDead:
        FAMFS_RETURN_IF_ERROR(DetachDead(place, volume, *standing.mounts, 0));
        break;
      case PlaceState::kLive:
        FAMFS_RETURN_IF_ERROR(UnmountTop(place, volume));
        break;
    }
  }
}

absl::Status Attachments::Unstage(const std::string& volume_id,
                                  const std::string& staging_path) {
  const auto id = csi::ParseVolumeId(volume_id);
  const auto place = places_.Resolve(staging_path);
  if (!id.ok() || absl::IsNotFound(place.status())) {
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
  const auto place = places_.Resolve(target_path);
  if (!id.ok() || absl::IsNotFound(place.status())) {
    return absl::OkStatus();  // nothing of ours can be there
  }
  if (!place.ok()) return place.status();
  const auto volume_lock = by_volume_.LockShared(volume_id);
  const auto path_lock = by_path_.Lock(place->path());
  FAMFS_RETURN_IF_ERROR(RemoveMounts(*id, *place));
  publications_.Remove(id->directory, place->path());
  return place->RemoveDirectory();
}

absl::Status Attachments::CheckMounted(const csi::VolumeId& volume,
                                       const std::string& path) {
  const auto place = places_.Resolve(path);
  if (absl::IsUnavailable(place.status())) return place.status();
  if (!place.ok()) return NotFound("{}", Message(place.status()));
  FAMFS_ASSIGN_OR_RETURN(const Standing standing, ExamineAt(*place, volume));
  if (standing.state == PlaceState::kLive ||
      standing.state == PlaceState::kDead) {
    return absl::OkStatus();
  }
  return NotFound("volume {} is neither staged nor published at {}",
                  volume.ToString(), path);
}

}  // namespace famfs::node
