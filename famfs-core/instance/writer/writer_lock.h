// One writer per instance on one host: flock(2) on <directory>/<fs
// uuid>.writer. Never a lock on a device node. The kernel drops it with the
// process, however it ends; a process that ends in good order also removes the
// file.
//
// The file is its owner's alone (0600): who cannot open it cannot lock it. It
// holds the pid and the program of the last writer as text, for people; who
// holds the lock is asked of the kernel (/proc/locks).
#pragma once

#include <string>
#include <utility>

#include "base/status.h"
#include "base/unique_fd.h"
#include "base/uuid.h"

namespace famfs {

class WriterLock {
 public:
  /// Makes `directory` (0700) when it is missing. An empty one: no lock is
  /// taken, and held() is false. Never waits, also not for what stands under
  /// the file's name. Unavailable "... is open for writing by pid 17
  /// (famfs-csi-controller)"; PermissionDenied or FailedPrecondition for a file
  /// that others made or may open.
  static absl::StatusOr<WriterLock> Acquire(const std::string& directory,
                                            const Uuid& fs_uuid);
  ~WriterLock();
  WriterLock(WriterLock&& other) noexcept = default;
  WriterLock& operator=(WriterLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    return *this;
  }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  /// Whether another writer on this host is excluded.
  [[nodiscard]] bool held() const { return fd_.valid(); }

 private:
  WriterLock(UniqueFd fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;  // invalid: moved from, or no lock
  std::string path_;
};

}  // namespace famfs
