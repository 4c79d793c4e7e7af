// What is mounted at one place, asked of the kernel for that place alone: the
// cost does not grow with the number of mounts, as that of mountinfo does.
//
// Nobody who serves a mount is asked: a place whose server hangs is told like
// any other.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "runtime/mount_table.h"

namespace famfs::node {

/// The topmost mount.
struct MountAt {
  int id = 0;  // as in mountinfo
  DeviceNumber device;
};

/// nullopt: `name` in the directory `parent` is no mount point, or is not
/// there.
absl::StatusOr<std::optional<MountAt>> FindMountAt(int parent,
                                                   const std::string& name);

/// The same with the mount's root and options, which mountinfo would tell; the
/// other texts are empty. Unimplemented where something is mounted there and
/// the kernel does not tell of a single mount (before Linux 6.8): read
/// MountTable then.
absl::StatusOr<std::optional<MountEntry>> DescribeMountAt(
    int parent, const std::string& name);

/// Whether the open file is the root of a mount.
absl::StatusOr<bool> IsMountRoot(int fd);
/// Of the file system that the open file lies on.
absl::StatusOr<DeviceNumber> DeviceOf(int fd);

}  // namespace famfs::node
