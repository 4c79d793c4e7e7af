// Starting a program that goes on by itself.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace famfs {

struct SpawnRequest {
  std::vector<std::string> argv;  // the first one is the program's path
  /// Descriptors that it gets, as 3, 4, ...; they stay the caller's. It gets no
  /// other one but its standard ones.
  std::vector<int> descriptors{};
  /// Where what it writes goes, appended; empty: where ours goes.
  std::string output_file{};
  std::string working_directory{};  // empty: ours
};

/// In a session of its own, with /dev/null as its input and no signal blocked
/// (callers block those that they wait for). An ignored SIGPIPE stays ignored:
/// who reads what it writes may be gone before it is. Thread-safe.
absl::StatusOr<pid_t> Spawn(const SpawnRequest& request);

/// What waitpid(2) tells of an end: "was killed by signal 9", "ended with
/// status 1".
std::string DescribeStatus(int status);

/// What a program of ours tells through its --ready-fd, in one line, when it
/// serves ("ready WHAT") or gives up ("error: WHY").
struct ReadyLine {
  bool ready = false;
  std::string text;  // WHAT or WHY
};
/// nullopt: neither of both.
std::optional<ReadyLine> ParseReadyLine(std::string_view line);

}  // namespace famfs
