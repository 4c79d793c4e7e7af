// The server that `famfs mount` starts: the famfs-fused beside this program.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace famfs {

struct FusedArguments {
  std::string device;                 // a spec with an absolute path
  std::string mount_point;            // absolute
  std::string data_path;              // "auto", "passthrough", "copy", "fmap"
  std::string log_file;               // absolute; empty: the log is dropped
  std::vector<std::string> others{};  // specs with absolute paths
  bool salvage = false;
  bool allow_existing_mount = false;
};

/// Starts the server in a session of its own and waits until it serves; the
/// data path that it chose. Its own words when it refuses; nothing is mounted
/// then.
absl::StatusOr<std::string> StartFused(const FusedArguments& arguments);

/// Becomes the server; returns only when that fails.
[[nodiscard]] absl::Status BecomeFused(const FusedArguments& arguments);

}  // namespace famfs
