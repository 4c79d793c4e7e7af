// One reading of the mount table in the driver's words: which mount is a volume
// of ours, and is its server the living one?
//
// A mount of ours has the type fuse.famfs and a root that is a volume's
// directory, or the same in the read-only view. Its instance is told by the
// device number: the instance's own mount stands under the pools directory,
// named by the file system's uuid. A mount whose device has no such row
// belonged to a server that died: dead. Directories' names are never used
// twice, so the root alone says which volume.
//
// A root that lies below the directory is a subPath: a bind of kubelet's own,
// made from a publication. It is neither staged nor published, and never taken
// away by us; but it dies with its server like the others.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csi/volume/volume_id.h"
#include "runtime/mount_table.h"

namespace famfs::node {

enum class PlaceState {
  kFree,     // not a mount point
  kLive,     // the volume, served
  kDead,     // the volume, of a server that is gone
  kForeign,  // anything else
};

/// What a mount of ours shows.
struct VolumeRoot {
  std::string directory{};  // the volume's
  std::string below{};      // within it: "" (all of it), "data", "a/b"
  bool read_only = false;   // in the read-only view
  /// Where it lies in a mounted instance, relative to the mount.
  [[nodiscard]] std::string PathInInstance() const;
};

/// Of a path within the file system; nullopt: an instance's root, or what is
/// not of a volume (.meta).
std::optional<VolumeRoot> ParseVolumeRoot(std::string_view root);
/// nullopt also when the mount is no famfs.
std::optional<VolumeRoot> VolumeRootOf(const MountEntry& entry);

/// What kubelet stages to, and what NodeStageVolume has mounted; every other
/// mount of a whole volume is a publication.
bool IsStaging(const MountEntry& entry);

/// Where one pool's instance is mounted: POOLS_DIR/UUID.
class VolumeMounts {
 public:
  VolumeMounts(MountTable table, const std::string& pools_directory);

  static absl::StatusOr<VolumeMounts> Read(const std::string& pools_directory);

  [[nodiscard]] const MountTable& table() const { return table_; }

  /// What the topmost mount at `path` is to the volume.
  [[nodiscard]] PlaceState Examine(const std::string& path,
                                   const csi::VolumeId& volume) const;
  [[nodiscard]] PlaceState Classify(const MountEntry& entry,
                                    const csi::VolumeId& volume) const;
  /// A mount of the volume or of a subPath of it, whose server is gone.
  [[nodiscard]] bool IsDead(const MountEntry& entry,
                            const csi::VolumeId& volume) const;
  /// Where whole volumes are published, living or dead, with their directories.
  [[nodiscard]] std::vector<std::pair<std::string, const MountEntry*>>
  Publications() const;
  /// The living mounts of an instance's whole volumes, with their directories.
  [[nodiscard]] std::vector<std::pair<std::string, const MountEntry*>>
  OfInstance(const Uuid& fs_uuid) const;
  /// Mounts of volumes and subPaths whose server is gone, and that nothing
  /// newer is mounted on.
  [[nodiscard]] std::vector<const MountEntry*> Dead() const;
  /// Mounts of volumes and subPaths whose instance is mounted and no pool's any
  /// more (`is_current` says no), and that nothing newer is mounted on.
  [[nodiscard]] std::vector<const MountEntry*> OfFormerInstances(
      const std::function<bool(const Uuid&)>& is_current) const;
  /// Whether an instance is mounted elsewhere, too, as a whole or in part.
  [[nodiscard]] bool IsUsed(const MountEntry& instance) const;

 private:
  MountTable table_;
  /// The uuid of each living instance; empty when it is mounted elsewhere
  /// (`famfs mount`). A device that is not here has no living instance.
  std::map<DeviceNumber, std::string> instances_;
};

/// "fuse.famfs of emulated:/dev/shm/pool, directory /abc": for messages.
std::string Describe(const MountEntry& entry);

}  // namespace famfs::node
