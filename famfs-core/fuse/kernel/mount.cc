#include "fuse/kernel/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace famfs {
namespace {

absl::Status SetOption(int context, const char* key, const std::string& value) {
  if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) != 0) {
    return ErrnoError(errno,
                      fmt::format("FUSE mount option {}={}", key, value));
  }
  return absl::OkStatus();
}

absl::Status SetFlag(int context, const char* key) {
  if (::fsconfig(context, FSCONFIG_SET_FLAG, key, nullptr, 0) != 0) {
    return ErrnoError(errno, fmt::format("FUSE mount option {}", key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NewMount> CreateMount(const std::string& source, bool read_only,
                                     UniqueFd fuse) {
  if (!fuse.valid()) {
    auto opened = OpenFile("/dev/fuse", O_RDWR);
    if (!opened.ok()) {
      return Annotate(opened.status(),
                      "no FUSE here (load the module: modprobe fuse)");
    }
    fuse = *std::move(opened);
  }
  UniqueFd context(::fsopen("fuse", FSOPEN_CLOEXEC));
  if (!context.valid()) return ErrnoError(errno, "fsopen(fuse)");
  const int fs = context.get();
  FAMFS_RETURN_IF_ERROR(SetOption(fs, "source", source));
  FAMFS_RETURN_IF_ERROR(SetOption(fs, "subtype", "famfs"));
  FAMFS_RETURN_IF_ERROR(SetOption(fs, "fd", std::to_string(fuse.get())));
  FAMFS_RETURN_IF_ERROR(SetOption(fs, "rootmode", "40000"));  // octal S_IFDIR
  FAMFS_RETURN_IF_ERROR(SetOption(fs, "user_id", "0"));
  FAMFS_RETURN_IF_ERROR(SetOption(fs, "group_id", "0"));
  FAMFS_RETURN_IF_ERROR(SetFlag(fs, "allow_other"));
  FAMFS_RETURN_IF_ERROR(SetFlag(fs, "default_permissions"));
  if (::fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ErrnoError(errno, "creating the FUSE superblock");
  }
  UniqueFd mount(::fsmount(fs, FSMOUNT_CLOEXEC,
                           MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                               (read_only ? MOUNT_ATTR_RDONLY : 0U)));
  if (!mount.valid()) return ErrnoError(errno, "fsmount");
  return NewMount{std::move(fuse), std::move(mount)};
}

std::uint32_t ConnectionOf(const NewMount& mount) {
  struct statx info = {};
  // Nothing that the kernel would have to ask the server for.
  if (::statx(mount.mount.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0,
              &info) != 0) {
    return 0;
  }
  return info.stx_dev_minor;
}

absl::Status CheckMountPoint(const std::string& mount_point,
                             bool allow_existing) {
  struct statx info = {};
  if (::statx(AT_FDCWD, mount_point.c_str(), AT_NO_AUTOMOUNT, STATX_TYPE,
              &info) != 0) {
    const int error = errno;
    if (error == ENOTCONN) {
      return Unavailable(
          "{}: the server of the mount there is gone; unmount it first "
          "(umount {})",
          mount_point, mount_point);
    }
    if (error == ENOENT) {
      return NotFound("{}: no such directory; create it first", mount_point);
    }
    return ErrnoError(error, mount_point);
  }
  if (!S_ISDIR(info.stx_mode)) {
    return InvalidArgument("{}: not a directory", mount_point);
  }
  const bool is_mount_point =
      (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
      (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  if (is_mount_point && !allow_existing) {
    return AlreadyExists(
        "{}: already a mount point; unmount it first (umount {}), or pass "
        "--allow-existing-mount to mount over it",
        mount_point, mount_point);
  }
  return absl::OkStatus();
}

absl::Status AttachMount(const NewMount& mount,
                         const std::string& mount_point) {
  if (::move_mount(mount.mount.get(), "", AT_FDCWD, mount_point.c_str(),
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) != 0) {
    return ErrnoError(errno, fmt::format("mounting on {}", mount_point));
  }
  return absl::OkStatus();
}

absl::Status Unmount(const std::string& mount_point) {
  if (::umount2(mount_point.c_str(), MNT_DETACH) != 0) {
    return ErrnoError(errno, fmt::format("unmounting {}", mount_point));
  }
  return absl::OkStatus();
}

}  // namespace famfs
