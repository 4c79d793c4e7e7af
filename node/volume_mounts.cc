#include "node/volume_mounts.h"

namespace famfs::node {
namespace {

constexpr std::string_view kFsType = "fuse.famfs";
constexpr std::string_view kReadOnlyView = "/.meta/ro";

}  // namespace

std::string Describe(const MountEntry& entry) {
  return fmt::format("{} of {}, directory {}", entry.fs_type, entry.source,
                     entry.root);
}

std::string_view VolumeDirectoryOf(const MountEntry& entry) {
  std::string_view root = entry.root;
  if (root.starts_with(kReadOnlyView)) {
    root.remove_prefix(kReadOnlyView.size());
  }
  if (entry.fs_type != kFsType || root.size() < 2 || root.front() != '/' ||
      root.find('/', 1) != std::string_view::npos) {
    return {};
  }
  return root.substr(1);
}

std::string VolumePath(const std::string& instance, const csi::VolumeId& volume,
                       bool read_only) {
  return fmt::format("{}{}/{}", instance, read_only ? kReadOnlyView : "",
                     volume.directory);
}

absl::StatusOr<VolumeMounts> VolumeMounts::Read(
    const std::string& pools_directory) {
  FAMFS_ASSIGN_OR_RETURN(MountTable table, MountTable::Read());
  return VolumeMounts(std::move(table), pools_directory);
}

std::optional<std::string_view> VolumeMounts::InstanceOf(
    DeviceNumber device) const {
  std::optional<std::string_view> found;
  for (const MountEntry& entry : table_.entries()) {
    if (entry.device != device || entry.fs_type != kFsType ||
        entry.root != "/") {
      continue;
    }
    const std::string_view point = entry.mount_point;
    const std::size_t length = pools_directory_.size();
    if (point.starts_with(pools_directory_) && point.substr(length, 1) == "/") {
      return point.substr(length + 1);
    }
    found = std::string_view();
  }
  return found;
}

PlaceState VolumeMounts::Classify(const MountEntry& entry,
                                  const csi::VolumeId& volume) const {
  if (VolumeDirectoryOf(entry) != volume.directory) return PlaceState::kForeign;
  const auto instance = InstanceOf(entry.device);
  if (!instance.has_value()) return PlaceState::kDead;
  return instance->starts_with(volume.instance) ? PlaceState::kLive
                                                : PlaceState::kForeign;
}

PlaceState VolumeMounts::Examine(const std::string& path,
                                 const csi::VolumeId& volume) const {
  const MountEntry* top = table_.Top(path);
  return top == nullptr ? PlaceState::kFree : Classify(*top, volume);
}

std::vector<const MountEntry*> VolumeMounts::ElsewhereThan(
    const csi::VolumeId& volume, std::string_view staging,
    std::string_view target) const {
  std::vector<const MountEntry*> found;
  for (const MountEntry& entry : table_.entries()) {
    if (entry.mount_point != staging && entry.mount_point != target &&
        Classify(entry, volume) != PlaceState::kForeign) {
      found.push_back(&entry);
    }
  }
  return found;
}

std::vector<std::pair<std::string, const MountEntry*>> VolumeMounts::OfInstance(
    const Uuid& fs_uuid) const {
  std::vector<std::pair<std::string, const MountEntry*>> found;
  const MountEntry* instance =
      table_.Top(fmt::format("{}/{}", pools_directory_, fs_uuid.ToString()));
  if (instance == nullptr) return found;
  for (const MountEntry& entry : table_.entries()) {
    const std::string_view directory = VolumeDirectoryOf(entry);
    if (entry.device == instance->device && !directory.empty()) {
      found.emplace_back(directory, &entry);
    }
  }
  return found;
}

std::vector<const MountEntry*> VolumeMounts::DeadDirectories() const {
  std::vector<const MountEntry*> found;
  for (const MountEntry& entry : table_.entries()) {
    if (!VolumeDirectoryOf(entry).empty() &&
        !InstanceOf(entry.device).has_value()) {
      found.push_back(&entry);
    }
  }
  return found;
}

}  // namespace famfs::node
