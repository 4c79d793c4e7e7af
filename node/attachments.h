// Staging and publishing: which mounts a call makes or takes away. The Node
// service's methods check their requests and call this.
//
// mountinfo is read anew in each call and is the only memory (design §7). A
// volume's calls are serialised by its id, and calls on one path by that path;
// nothing else waits.
#pragma once

#include <string>

#include "base/status.h"
#include "csi/capabilities.h"
#include "csi/keyed_mutex.h"
#include "node/place.h"
#include "node/volume_mounts.h"
#include "node/volumes.h"

namespace famfs::node {

struct Publication {
  std::string volume_id;
  std::string staging_path;
  std::string target_path;
  csi::MountFlags flags;  // read_only: of the readonly field, too
  csi::AccessMode mode = {};
  bool multi_node_writer = false;
};

class Attachments {
 public:
  /// `kubelet_path` as configured; `pools_directory` a real path.
  Attachments(Volumes& volumes, std::string kubelet_path,
              std::string pools_directory);

  /// Binds the volume's directory at the staging path, writable. Staged
  /// already: OK; staged from a dead server: bound again.
  [[nodiscard]] absl::Status Stage(const std::string& volume_id,
                                   const std::string& staging_path);
  /// Takes our mounts of the volume away; absent is OK. The directory is the
  /// orchestrator's and stays.
  [[nodiscard]] absl::Status Unstage(const std::string& volume_id,
                                     const std::string& staging_path);
  /// Binds the staged volume's directory at the target, which it makes; of the
  /// read-only view, and with a read-only mount, when it is not to be written.
  /// A failed call leaves nothing behind.
  [[nodiscard]] absl::Status Publish(const Publication& publication);
  /// Takes our mounts of the volume away, and the target directory; absent is
  /// OK.
  [[nodiscard]] absl::Status Unpublish(const std::string& volume_id,
                                       const std::string& target_path);
  /// NotFound unless the volume, living or dead, is mounted exactly there.
  [[nodiscard]] absl::Status CheckMounted(const csi::VolumeId& volume,
                                          const std::string& path);
  /// Binds again what a dead server of this pool left staged and published;
  /// what was read-only stays so. Failures are logged.
  void Rebind(Pool& pool, const ServedPool& served);

 private:
  [[nodiscard]] absl::Status BindStaged(const ServedPool& served,
                                        const csi::VolumeId& volume,
                                        const Place& place, PlaceState state);
  [[nodiscard]] absl::Status BindTarget(const std::string& source,
                                        const Place& target,
                                        const csi::MountFlags& flags,
                                        bool replaces_dead);
  [[nodiscard]] absl::Status RebindOne(const ServedPool& served,
                                       const csi::VolumeId& volume,
                                       const std::string& path);
  [[nodiscard]] absl::Status RemoveMounts(const csi::VolumeId& volume,
                                          const Place& place);

  Volumes& volumes_;
  const std::string kubelet_path_;
  const std::string pools_directory_;
  csi::KeyedMutex by_volume_;
  csi::KeyedMutex by_path_;  // locked after by_volume_
};

/// Whether a publication is allowed over the data path that the pool is served
/// by. FailedPrecondition names both.
[[nodiscard]] absl::Status CheckDataPath(const Volume& volume, DataPath served);
[[nodiscard]] absl::Status CheckWriters(bool multi_node_writer, bool read_only,
                                        DataPath served);

}  // namespace famfs::node
