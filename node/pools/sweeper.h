// Removes what instances have left in the pools directory that are no pool's
// any more: a mount that answers ESTALE, or nobody, and the files beside it.
// Their volumes' mounts are the orchestrator's to take away; when the last has
// gone, so does the rest, with the server if it still lives.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/uuid.h"
#include "node/mounts/questions.h"
#include "node/mounts/volume_mounts.h"
#include "node/pools/pools.h"

namespace famfs::node {

/// Thread-safe.
class Sweeper {
 public:
  /// Looks every two seconds, in a thread of its own. `pools` outlives it.
  /// Unavailable: there is no thread for it.
  static absl::StatusOr<std::unique_ptr<Sweeper>> Start(
      const Pools& pools, std::string pools_directory);
  /// Stop.
  ~Sweeper();
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

  /// Waits for the look under way.
  void Stop();

 private:
  Sweeper(const Pools& pools, std::string pools_directory);
  void Run();
  void Sweep();
  /// Of instances that no pool can hold.
  [[nodiscard]] std::vector<Uuid> Leftovers() const;
  /// OK: nothing is left of it, or it is still used.
  [[nodiscard]] absl::Status Remove(const Uuid& fs_uuid,
                                    const VolumeMounts& mounts);
  [[nodiscard]] absl::Status RemoveFiles(const std::string& mount_point) const;

  const Pools& pools_;
  const std::string pools_directory_;
  Questions questions_;
  std::string logged_;  // the last error

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::node
