// One writer per instance on one host: flock(2) on <directory>/<fs
// uuid>.writer, which holds the owner's pid and program as text. Never a lock
// on a device node. The kernel drops it with the process, however it ends.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "base/uuid.h"

namespace famfs {

class WriterLock {
 public:
  /// An empty `directory`: no lock is taken, and held() is false. Unavailable
  /// "... is open for writing by pid 17 (famfs-csi-controller)".
  static absl::StatusOr<WriterLock> Acquire(const std::string& directory,
                                            const Uuid& fs_uuid);
  /// Whether another writer on this host is excluded.
  [[nodiscard]] bool held() const { return fd_.valid(); }

 private:
  explicit WriterLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace famfs
