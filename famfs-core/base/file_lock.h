// Locks on whole files (flock(2)). They belong to the open file and go with its
// last descriptor, however its process ends. Whoever can open a file can lock
// it, so a file whose lock decides something is its owner's alone (0600), and
// no lock is waited for without an end.
#pragma once

#include <chrono>

#include "base/status.h"

namespace famfs {

enum class FileLock { kExclusive, kShared };

/// Whether it is held now; false: another open file has one that excludes it.
absl::StatusOr<bool> TryLockFile(int fd, FileLock kind);

/// The same, asked again every few milliseconds for as long as `patience`: for
/// locks whose holders need some system calls.
absl::StatusOr<bool> LockFile(int fd, FileLock kind,
                              std::chrono::milliseconds patience);

}  // namespace famfs
