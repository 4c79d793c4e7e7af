// Who holds a lock on a file, as the kernel knows it.
#pragma once

#include <string>

namespace famfs {

/// "pid 17 (famfs)" of a process that holds a flock(2) on the file that `fd` is
/// open on; empty when /proc/locks shows none, as of a process in another pid
/// namespace (a container). A process may have handed its lock on: then it is
/// told that it has ended.
[[nodiscard]] std::string LockHolder(int fd);

}  // namespace famfs
