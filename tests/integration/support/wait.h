// The one place of the rig that lets time pass.
#pragma once

#include <poll.h>

#include <chrono>

#include "tests/integration/support/rig.h"

namespace famfs::rig {

class Deadline {
 public:
  explicit Deadline(Duration patience)
      : end_(std::chrono::steady_clock::now() + patience) {}
  [[nodiscard]] bool Passed() const { return Left().count() == 0; }
  /// Never negative.
  [[nodiscard]] Duration Left() const;

 private:
  std::chrono::steady_clock::time_point end_;
};

/// Waits until `fd` has `events`, at most `limit` and not beyond the deadline.
/// fd -1: only time passes.
bool PollFd(int fd, short events, const Deadline& deadline, Duration limit);

}  // namespace famfs::rig
