// A process that gets no thread any more, as at the limit of its cgroup: for
// the child of a death test.
//
//   EXPECT_EXIT(ExitWithoutThreads([] { return Start().status(); }),
//               ::testing::ExitedWithCode(0), "no thread for");
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
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

/// Says on stderr what came of `start`, and exits: with 0 if it was
/// Unavailable, as where a thread is missing. Never returns.
[[noreturn]] inline void ExitWithoutThreads(
    const std::function<absl::Status()>& start) {
  if (!ForbidThreads()) ::_exit(2);
  const absl::Status status = start();
  std::fprintf(stderr, "%s\n", std::string(Message(status)).c_str());
  ::_exit(absl::IsUnavailable(status) ? 0 : 1);
}

}  // namespace famfs::testing
