// A file system that a test may freeze: whoever writes to it then waits, in the
// kernel and beyond the reach of any signal, until it is thawed.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "tests/integration/support/rig.h"

namespace famfs::rig {

/// An ext4 in a sparse file, on a loop device. Thawed and unmounted by the
/// destructor, and thawed also when the test's process dies before: a frozen
/// file system would keep the processes that wait for it from ever ending.
class FrozenDisk {
 public:
  /// Thawed. Errors: there is no loop device or no ext4 to be had here.
  static absl::StatusOr<std::unique_ptr<FrozenDisk>> Create();
  ~FrozenDisk();
  FrozenDisk(const FrozenDisk&) = delete;
  FrozenDisk& operator=(const FrozenDisk&) = delete;

  [[nodiscard]] std::string File(const std::string& name) const {
    return mount_ / name;
  }
  [[nodiscard]] absl::Status Freeze() const;
  /// Once more does no harm.
  void Thaw() const;

 private:
  FrozenDisk() = default;
  absl::Status Mount();
  absl::Status StartGuard();

  TempDir place_;
  TempDir mount_;
  bool mounted_ = false;
  UniqueFd root_;         // of the file system
  UniqueFd guard_;        // a pipe: its end wakes the guard
  pid_t guard_pid_ = -1;  // a process that thaws when we are gone
};

}  // namespace famfs::rig
