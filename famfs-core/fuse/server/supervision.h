// What a supervisor needs of a server: to hear when it serves (ready
// descriptor) and to see that it lives (lock file).
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

/// Opens /dev/null in place of a standard descriptor that is closed, so that no
/// file opened later takes its number and receives what is meant for it.
void KeepStandardDescriptors();

/// Creates the file if needed, takes its flock for as long as the descriptor
/// lives, and writes this process' id into it. AlreadyExists, with the holder's
/// id, when another process has it. The file stays behind: whoever can lock it
/// knows that nobody serves.
absl::StatusOr<UniqueFd> TakeLockFile(const std::string& path);

/// Writes the line to `fd`, if it is >= 0, and closes it. `mount`, if it is >=
/// 0, goes with it as a descriptor: `fd` is a Unix socket then.
void TellReady(int fd, std::string_view line, int mount = -1);

}  // namespace famfs
