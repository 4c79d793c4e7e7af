// One famfs-fused process: how it is found, started and watched.
//
// It runs in a session of its own and outlives the plugin; a later plugin finds
// it by its lock file, which it holds (flock) for life with its pid inside. The
// plugin never ends a living server, unless its mount is gone. Where the
// plugin's end would take its children along (a container), a
// famfs-fused-spawner in another container starts them (node/fused/spawner.h).
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "dax/device_spec.h"
#include "media/volume_attributes.h"
#include "node/mounts/questions.h"

namespace famfs::node {

struct FusedLaunch {
  std::string program;      // path of famfs-fused
  std::string spawner;      // socket of a famfs-fused-spawner that starts it in
                            // our place; empty: a child of ours
  DeviceSpec device;        // the primary
  std::string device_list;  // a file that names further devices
  std::string mount_point;  // an existing directory
  std::string lock_file;
  std::string log_format = "text";
};

/// Where the server of this mount point tells which files' memory it missed
/// (famfs-fused --memory-report).
inline std::string MemoryReportOf(const std::string& mount_point) {
  return mount_point + ".memory";
}

/// A running server. pidfd becomes readable when it ends.
struct FusedProcess {
  pid_t pid = -1;
  UniqueFd pidfd;
};

/// The process that holds the lock; nullopt: nobody does. Unavailable: one that
/// is out of reach, such as that of a pod that is being deleted.
absl::StatusOr<std::optional<FusedProcess>> FindFused(
    const FusedLaunch& options);

struct StartingFused {
  FusedProcess process;
  UniqueFd ready;  // a socket: one line with the mount, then end of file
};
/// By the spawner, if there is one. /dev/fuse is opened here, and the mount is
/// left to us, so that neither the spawner nor the server needs to be allowed
/// that. NotFound without /dev/fuse.
absl::StatusOr<StartingFused> StartFused(const FusedLaunch& options);
/// As a child of ours, whatever options.spawner says. `fuse`: an open
/// /dev/fuse.
absl::StatusOr<StartingFused> SpawnFused(const FusedLaunch& options,
                                         const UniqueFd& fuse);

/// What a starting server has said so far.
struct ReadyAnswer {
  std::string line;
  UniqueFd mount;  // attached nowhere; with the line "ready ..."
};
/// Takes what has arrived; false at the end of file, and when that is no line.
bool ReadReady(const UniqueFd& ready, ReadyAnswer& answer);

/// The ready line: "ready passthrough" or "error: ...". Unavailable for an
/// error, for another line, and for none (the process ended).
absl::StatusOr<DataPath> ParseServedPath(std::string_view line);

/// The data path of a mounted instance, asked of its server by xattr, within
/// kServerPatience. FailedPrecondition: the instance that it opened is there no
/// longer, and it answers ESTALE for good.
absl::StatusOr<DataPath> AskDataPath(const std::string& mount_point,
                                     Questions& questions);

/// Reaps the process if it is our child and has ended: "was killed by signal
/// 9", "ended with status 1"; "ended" when it is not ours to reap.
std::string DescribeEnd(pid_t pid);

}  // namespace famfs::node
