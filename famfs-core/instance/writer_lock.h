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
  /// Unavailable "... is open for writing by pid 17 (famfs-csi-controller)".
  static absl::StatusOr<WriterLock> Acquire(const std::string& directory,
                                            const Uuid& fs_uuid);

 private:
  explicit WriterLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace famfs
