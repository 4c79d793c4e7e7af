// One reading of the mount table in the driver's words: which mount is a volume
// of ours, and is its server the living one?
//
// A mount of ours has the type fuse.famfs and a root that is exactly the
// volume's directory, or the same in the read-only view. Its instance is told
// by the device number: the instance's own mount stands under the pools
// directory, named by the file system's uuid. A mount whose device has no such
// row belonged to a server that died: dead. Directories' names are never used
// twice, so the root alone says which volume.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csi/volume_id.h"
#include "node/mountinfo.h"

namespace famfs::node {

enum class PlaceState {
  kFree,     // not a mount point
  kLive,     // the volume, served
  kDead,     // the volume, of a server that is gone
  kForeign,  // anything else
};

/// Where one pool's instance is mounted: POOLS_DIR/UUID.
class VolumeMounts {
 public:
  VolumeMounts(MountTable table, std::string pools_directory)
      : table_(std::move(table)),
        pools_directory_(std::move(pools_directory)) {}

  static absl::StatusOr<VolumeMounts> Read(const std::string& pools_directory);

  [[nodiscard]] const MountTable& table() const { return table_; }

  /// What the topmost mount at `path` is to the volume.
  [[nodiscard]] PlaceState Examine(const std::string& path,
                                   const csi::VolumeId& volume) const;
  [[nodiscard]] PlaceState Classify(const MountEntry& entry,
                                    const csi::VolumeId& volume) const;
  /// Where the volume is mounted, living or dead, other than at the two paths.
  [[nodiscard]] std::vector<const MountEntry*> ElsewhereThan(
      const csi::VolumeId& volume, std::string_view staging,
      std::string_view target) const;
  /// The living mounts of an instance's volumes, with their directories.
  [[nodiscard]] std::vector<std::pair<std::string, const MountEntry*>>
  OfInstance(const Uuid& fs_uuid) const;
  /// Mounts of single directories whose server is gone.
  [[nodiscard]] std::vector<const MountEntry*> DeadDirectories() const;

 private:
  /// The uuid in the name of the device's instance mount; empty when it is
  /// mounted elsewhere (`famfs mount`), nullopt when nowhere: dead.
  [[nodiscard]] std::optional<std::string_view> InstanceOf(
      DeviceNumber device) const;

  MountTable table_;
  std::string pools_directory_;
};

/// "fuse.famfs of emulated:/dev/shm/pool, directory /abc": for messages.
std::string Describe(const MountEntry& entry);
/// The directory that a mount of ours is rooted at ("/abc" -> "abc", and
/// "/.meta/ro/abc", in the read-only view); empty for other mounts, for
/// instances and for what lies below a volume (subPath).
std::string_view VolumeDirectoryOf(const MountEntry& entry);
/// Where a mounted instance shows a volume: writable, or in its read-only view
/// (famfs-core/fuse/view.h).
std::string VolumePath(const std::string& instance, const csi::VolumeId& volume,
                       bool read_only);

}  // namespace famfs::node
