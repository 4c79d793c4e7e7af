#include "node/mounts/volume_mounts.h"

#include <algorithm>

namespace famfs::node {
namespace {

constexpr std::string_view kFsType = "fuse.famfs";
constexpr std::string_view kReadOnlyView = ".meta/ro/";
// Set by MarkStaging (node/volumes/mounts.h).
constexpr std::string_view kStagingOption = "nosymfollow";
// kubelet's, for what an earlier release has staged.
constexpr std::string_view kStagingName = "/globalmount";

}  // namespace

std::string Describe(const MountEntry& entry) {
  return fmt::format("{} of {}, directory {}", entry.fs_type, entry.source,
                     entry.root);
}

std::string VolumeRoot::PathInInstance() const {
  return fmt::format("{}{}{}{}", read_only ? kReadOnlyView : "", directory,
                     below.empty() ? "" : "/", below);
}

std::optional<VolumeRoot> ParseVolumeRoot(std::string_view root) {
  VolumeRoot found;
  if (!root.starts_with('/')) return std::nullopt;
  root.remove_prefix(1);
  found.read_only = root.starts_with(kReadOnlyView);
  if (found.read_only) root.remove_prefix(kReadOnlyView.size());
  found.directory = root.substr(0, root.find('/'));
  if (found.directory.empty() || found.directory.front() == '.') {
    return std::nullopt;
  }
  root.remove_prefix(found.directory.size());
  if (!root.empty()) found.below = root.substr(1);
  return found;
}

std::optional<VolumeRoot> VolumeRootOf(const MountEntry& entry) {
  if (entry.fs_type != kFsType) return std::nullopt;
  return ParseVolumeRoot(entry.root);
}

bool IsStaging(const MountEntry& entry) {
  return entry.HasOption(kStagingOption) ||
         entry.mount_point.ends_with(kStagingName);
}

VolumeMounts::VolumeMounts(MountTable table, const std::string& pools_directory)
    : table_(std::move(table)) {
  for (const MountEntry& entry : table_.entries()) {
    if (entry.fs_type != kFsType || entry.root != "/") continue;
    std::string& instance = instances_[entry.device];
    const std::string_view point = entry.mount_point;
    const std::size_t length = pools_directory.size();
    if (point.starts_with(pools_directory) && point.substr(length, 1) == "/") {
      instance = point.substr(length + 1);
    }
  }
}

absl::StatusOr<VolumeMounts> VolumeMounts::Read(
    const std::string& pools_directory) {
  FAMFS_ASSIGN_OR_RETURN(MountTable table, MountTable::Read());
  return VolumeMounts(std::move(table), pools_directory);
}

PlaceState VolumeMounts::Classify(const MountEntry& entry,
                                  const csi::VolumeId& volume) const {
  const std::optional<VolumeRoot> root = VolumeRootOf(entry);
  if (!root.has_value() || root->directory != volume.directory ||
      !root->below.empty()) {
    return PlaceState::kForeign;
  }
  const auto instance = instances_.find(entry.device);
  if (instance == instances_.end()) return PlaceState::kDead;
  return instance->second.starts_with(volume.instance) ? PlaceState::kLive
                                                       : PlaceState::kForeign;
}

bool VolumeMounts::IsDead(const MountEntry& entry,
                          const csi::VolumeId& volume) const {
  const std::optional<VolumeRoot> root = VolumeRootOf(entry);
  return root.has_value() && root->directory == volume.directory &&
         !instances_.contains(entry.device);
}

PlaceState VolumeMounts::Examine(const std::string& path,
                                 const csi::VolumeId& volume) const {
  const MountEntry* top = table_.Top(path);
  return top == nullptr ? PlaceState::kFree : Classify(*top, volume);
}

std::vector<std::pair<std::string, const MountEntry*>>
VolumeMounts::Publications() const {
  std::vector<std::pair<std::string, const MountEntry*>> found;
  for (const MountEntry& entry : table_.entries()) {
    const auto root = VolumeRootOf(entry);
    if (root.has_value() && root->below.empty() && !IsStaging(entry)) {
      found.emplace_back(root->directory, &entry);
    }
  }
  return found;
}

std::vector<std::pair<std::string, const MountEntry*>> VolumeMounts::OfInstance(
    const Uuid& fs_uuid) const {
  std::vector<std::pair<std::string, const MountEntry*>> found;
  for (const MountEntry& entry : table_.entries()) {
    const auto root = VolumeRootOf(entry);
    if (!root.has_value() || !root->below.empty()) continue;
    const auto instance = instances_.find(entry.device);
    if (instance != instances_.end() &&
        instance->second == fs_uuid.ToString()) {
      found.emplace_back(root->directory, &entry);
    }
  }
  return found;
}

std::vector<const MountEntry*> VolumeMounts::Dead() const {
  std::vector<const MountEntry*> found;
  for (const MountEntry* top : table_.Tops()) {
    if (VolumeRootOf(*top).has_value() && !instances_.contains(top->device)) {
      found.push_back(top);
    }
  }
  return found;
}

std::vector<const MountEntry*> VolumeMounts::OfFormerInstances(
    const std::function<bool(const Uuid&)>& is_current) const {
  std::vector<const MountEntry*> found;
  for (const MountEntry* top : table_.Tops()) {
    const auto instance = instances_.find(top->device);
    if (instance == instances_.end() || !VolumeRootOf(*top).has_value()) {
      continue;
    }
    const auto fs_uuid = Uuid::Parse(instance->second);
    if (fs_uuid.ok() && !is_current(*fs_uuid)) found.push_back(top);
  }
  return found;
}

bool VolumeMounts::IsUsed(const MountEntry& instance) const {
  return std::any_of(table_.entries().begin(), table_.entries().end(),
                     [&](const MountEntry& entry) {
                       return entry.device == instance.device &&
                              entry.mount_point != instance.mount_point;
                     });
}

}  // namespace famfs::node
