// Told by the kernel: who waits for a FUSE server.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "tests/integration/support/rig.h"

namespace famfs::rig {

/// Whether a thread of the process waits for the answer of a FUSE server.
inline bool AsksAServer(pid_t pid) {
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(pid) + "/task", error)) {
    if (ReadWholeFile(task.path() / "wchan") == "request_wait_answer") {
      return true;
    }
  }
  return false;
}

}  // namespace famfs::rig
