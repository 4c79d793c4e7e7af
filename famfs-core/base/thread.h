// Threads where the machine may have none left: RLIMIT_NPROC, the pids of a
// cgroup, memory. std::thread throws then, which ends a process that does not
// expect it.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "base/status.h"

namespace famfs {

/// Runs `body` in a thread of its own. Unavailable where there is none to be
/// had; `body` is not called then.
absl::StatusOr<std::thread> StartThread(std::function<void()> body);

/// Threads that do what their owner does, too, and so may be fewer than were
/// asked for. The destructor waits for them.
class Helpers {
 public:
  /// Up to `count` that run `body`; as many as there are.
  Helpers(std::size_t count, const std::function<void()>& body);
  ~Helpers();
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

 private:
  std::vector<std::thread> threads_;
};

}  // namespace famfs
