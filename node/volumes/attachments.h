// Staging and publishing: which mounts a call makes or takes away. The Node
// service's methods check their requests and call this.
//
// The kernel's mounts are the only memory: each call asks what is mounted where
// it is to mount. A volume is staged and unstaged by one call at a time, and
// published by any number, one for each path: a hundred pods of one volume do
// not wait for each other. Nothing else waits.
#pragma once

#include <string>

#include "base/status.h"
#include "csi/process/keyed_mutex.h"
#include "csi/volume/capabilities.h"
#include "node/mounts/place.h"
#include "node/mounts/publications.h"
#include "node/mounts/standing.h"
#include "node/mounts/volume_mounts.h"
#include "node/pools/pools.h"

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
  /// `kubelet_path` as configured; `pools_directory` a real path; `mounts`:
  /// what an earlier plugin has left.
  Attachments(Pools& pools, const std::string& kubelet_path,
              std::string pools_directory, const VolumeMounts& mounts);

  /// Binds the volume's directory at the staging path, writable. Staged
  /// already: OK; staged from a dead server: bound again. What the directory
  /// holds is never covered: FailedPrecondition.
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
  /// Binds again what a dead server of this pool left staged and published, and
  /// kubelet's subPath binds of it; what was read-only stays so. Failures are
  /// logged. False: not all of it, and trying again may help. Ends early when
  /// the pool's questions are stopped.
  bool Rebind(Pool& pool, const ServedPool& served);
  /// The plugin ends: nobody waits for a file system any more.
  void Stop() { places_.Stop(); }

 private:
  absl::StatusOr<Standing> ExamineAt(const Place& place,
                                     const csi::VolumeId& volume) const {
    return Examine(place, volume, pools_directory_);
  }
  struct Attempt {
    FoundVolume found;
    ServedPool served;
    bool alone = false;  // nobody else holds the volume
  };
  /// False: the staged mount is dead; again, with the volume held alone.
  absl::StatusOr<bool> PublishLocked(const Publication& publication,
                                     const Attempt& attempt,
                                     const Place& staging, const Place& target);
  /// Whether the volume is published there as asked, or may be.
  absl::StatusOr<bool> IsPublished(const Publication& publication,
                                   const Place& target,
                                   const Standing& standing,
                                   bool read_only) const;
  [[nodiscard]] absl::Status CheckOnlyPublication(
      const Publication& publication, const csi::VolumeId& volume,
      const std::string& target);
  [[nodiscard]] absl::Status BindStaged(const ServedPool& served,
                                        const csi::VolumeId& volume,
                                        const Place& place,
                                        const Standing& standing);
  /// Unavailable: no instance that is served has the device.
  [[nodiscard]] absl::Status CheckServed(const DeviceNumber& device,
                                         const csi::VolumeId& volume) const;
  /// An error leaves nothing mounted.
  [[nodiscard]] absl::Status Bind(const UniqueFd& clone, const Place& place,
                                  const csi::VolumeId& volume,
                                  const Standing& standing);
  [[nodiscard]] absl::Status RebindOne(const ServedPool& served,
                                       const csi::VolumeId& volume,
                                       const MountEntry& dead,
                                       const VolumeMounts& mounts);
  [[nodiscard]] absl::Status RemoveMounts(const csi::VolumeId& volume,
                                          const Place& place);

  Pools& pools_;
  const std::string kubelet_directory_;  // a real path
  const std::string pools_directory_;
  Places places_;
  Publications publications_;
  csi::KeyedMutex by_volume_;  // staging holds it alone, publishing shares it
  csi::KeyedMutex by_path_;    // locked after by_volume_
};

/// Detaches the volume's dead mounts at the place from the top on, as long as
/// more than `keep` are left there. Dead mounts may be stacked: a recovery that
/// was interrupted, a mount table that was copied from elsewhere.
[[nodiscard]] absl::Status DetachDead(const Place& place,
                                      const csi::VolumeId& volume,
                                      const VolumeMounts& mounts,
                                      std::size_t keep);

/// Whether a publication is allowed over the data path that the pool is served
/// by. FailedPrecondition names both.
[[nodiscard]] absl::Status CheckDataPath(const Volume& volume, DataPath served);
[[nodiscard]] absl::Status CheckWriters(bool multi_node_writer, bool read_only,
                                        DataPath served);

}  // namespace famfs::node
