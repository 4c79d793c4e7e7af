// The command line of famfs-fused, and its exit codes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "dax/device_spec.h"
#include "fuse/server/server.h"

namespace famfs {

enum class FusedExit : int {
  kOk = 0,          // unmounted everywhere, or ended by SIGTERM or SIGINT
  kFailed = 1,      // anything not below
  kUsage = 2,       // wrong command line
  kDevice = 3,      // the device cannot be opened, or holds no sound instance
  kDataPath = 4,    // the data path asked for cannot be served here
  kMountPoint = 5,  // the mount point cannot be used
  kLocked = 6,      // another process holds the lock file
};

struct FusedCommandLine {
  DeviceSpec device;               // the primary
  std::vector<DeviceSpec> others;  // where the instance's others may be
  std::string device_list;         // a file with further ones; may be empty
  ServerOptions server;
  int ready_fd = -1;
  std::string lock_file;
  bool unmount_on_exit = false;
  LogFormat log_format = LogFormat::kText;
  std::string log_level = "info";
};

/// Empty: `exit` says with what to end (help, version or a usage error, already
/// printed).
std::optional<FusedCommandLine> ParseCommandLine(int argc, char** argv,
                                                 int& exit);

}  // namespace famfs
