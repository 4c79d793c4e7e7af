// A FUSE mount, made with the kernel's mount API (fsopen .. move_mount) so that
// the session can be set up, and refused, before anybody sees the mount.
//
// Always allow_other and default_permissions: the kernel checks modes, and
// idmapped clones need it (FUSE_ALLOW_IDMAP without default_permissions makes
// the kernel reject the INIT). Always nosuid and nodev.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

struct NewMount {
  UniqueFd fuse;   // /dev/fuse, the session's
  UniqueFd mount;  // detached; gone when closed before AttachMount
};

/// A superblock of type fuse.famfs with `source` as mountinfo shows it. The
/// kernel's INIT waits in `fuse` afterwards. `fuse`: an open /dev/fuse; if it
/// is not valid, one is opened: NotFound without /dev/fuse.
absl::StatusOr<NewMount> CreateMount(const std::string& source,
                                     bool read_only = false,
                                     UniqueFd fuse = {});

/// The minor number of the superblock's device, by which the kernel names the
/// connection; 0 when it cannot be told. Asks the server nothing.
std::uint32_t ConnectionOf(const NewMount& mount);

/// Whether the directory can be mounted over. NotFound: no such directory;
/// InvalidArgument: not one; AlreadyExists: a mount point already (unless
/// `allow_existing`); Unavailable: a mount whose server is gone.
[[nodiscard]] absl::Status CheckMountPoint(const std::string& mount_point,
                                           bool allow_existing);

[[nodiscard]] absl::Status AttachMount(const NewMount& mount,
                                       const std::string& mount_point);

/// Detaches at once; what is open goes on until it is closed (MNT_DETACH).
[[nodiscard]] absl::Status Unmount(const std::string& mount_point);

}  // namespace famfs
