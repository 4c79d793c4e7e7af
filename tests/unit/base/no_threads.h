// A process that gets no thread any more, as at the limit of its cgroup.
//
//   EXPECT_EXIT(ExitWithoutThreads([] { return Start().status(); }),
//               ::testing::ExitedWithCode(0), "a thread cannot be started");
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>

#include "base/status.h"

namespace famfs::testing {

/// Root is above RLIMIT_NPROC, so the process is nobody's from here on.
inline bool ForbidThreads() {
  constexpr uid_t kNobody = 65534;
  if (::getuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) {
    return false;
  }
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  return ::setrlimit(RLIMIT_NPROC, &none) == 0;
}

/// Runs `body` in a child process that gets no thread: whether it ended in good
/// order and answered true.
inline bool WithoutThreads(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(ForbidThreads() && body() ? 0 : 1);
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child &&
         WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// For the child of a death test. Says on stderr what came of `start`, and
/// exits: with 0 if it was Unavailable, as where a thread is missing.
[[noreturn]] inline void ExitWithoutThreads(
    const std::function<absl::Status()>& start) {
  if (!ForbidThreads()) ::_exit(2);
  const absl::Status status = start();
  std::fprintf(stderr, "%s\n", std::string(Message(status)).c_str());
  ::_exit(absl::IsUnavailable(status) ? 0 : 1);
}

}  // namespace famfs::testing
