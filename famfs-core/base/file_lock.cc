#include "base/file_lock.h"

#include <poll.h>
#include <sys/file.h>

#include <cerrno>

namespace famfs {
namespace {

constexpr int kPauseMs = 5;

}  // namespace

absl::StatusOr<bool> TryLockFile(int fd, FileLock kind) {
  const int operation = kind == FileLock::kShared ? LOCK_SH : LOCK_EX;
  while (::flock(fd, operation | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return ErrnoError(errno, "flock");
  }
  return true;
}

absl::StatusOr<bool> LockFile(int fd, FileLock kind,
                              std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    FAMFS_ASSIGN_OR_RETURN(const bool locked, TryLockFile(fd, kind));
    if (locked || std::chrono::steady_clock::now() >= end) return locked;
    static_cast<void>(::poll(nullptr, 0, kPauseMs));
  }
}

}  // namespace famfs
