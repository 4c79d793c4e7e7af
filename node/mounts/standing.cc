#include "node/mounts/standing.h"

#include <optional>
#include <utility>

#include "node/mounts/instances.h"
#include "node/mounts/mount_at.h"

namespace famfs::node {
namespace {

absl::StatusOr<bool> IsLive(const MountEntry& entry,
                            const csi::VolumeId& volume,
                            const std::string& pools_directory) {
  const std::optional<VolumeRoot> root = ParseVolumeRoot(entry.root);
  if (!root.has_value() || root->directory != volume.directory ||
      !root->below.empty()) {
    return false;
  }
  FAMFS_ASSIGN_OR_RETURN(const auto instances,
                         ServedInstances(pools_directory));
  const auto instance = instances.find(entry.device);
  return instance != instances.end() &&
         instance->second.starts_with(volume.instance);
}

}  // namespace

absl::StatusOr<Standing> Examine(const Place& place,
                                 const csi::VolumeId& volume,
                                 const std::string& pools_directory) {
  const auto described = DescribeMountAt(place.parent(), place.name());
  if (described.ok()) {
    if (!described->has_value()) return Standing{};
    const MountEntry& top = **described;
    FAMFS_ASSIGN_OR_RETURN(const bool live,
                           IsLive(top, volume, pools_directory));
    if (live) {
      return Standing{.state = PlaceState::kLive,
                      .read_only = top.read_only(),
                      .staging = IsStaging(top)};
    }
  }
  FAMFS_ASSIGN_OR_RETURN(VolumeMounts table,
                         VolumeMounts::Read(pools_directory));
  Standing standing;
  standing.mounts = std::make_shared<const VolumeMounts>(std::move(table));
  standing.state = standing.mounts->Examine(place.path(), volume);
  const MountEntry* top = standing.mounts->table().Top(place.path());
  if (top != nullptr) {
    standing.read_only = top->read_only();
    standing.staging = IsStaging(*top);
  }
  return standing;
}

}  // namespace famfs::node
