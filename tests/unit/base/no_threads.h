// A process that can start no thread any more.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace famfs::testing {

/// Runs `body` in a child process of a user without rights who may have no
/// process or thread beyond it: whether it ended in good order and answered
/// true.
inline bool WithoutThreads(const std::function<bool()>& body) {
  constexpr uid_t kNobody = 65534;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none = {0, 0};
    // Root is not held to the limit.
    const bool ready =
        (::geteuid() != 0 || ::setresuid(kNobody, kNobody, kNobody) == 0) &&
        ::setrlimit(RLIMIT_NPROC, &none) == 0;
    ::_exit(ready && body() ? 0 : 1);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child &&
         WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace famfs::testing
