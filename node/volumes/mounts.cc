#include "node/volumes/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "node/mounts/mount_at.h"

namespace famfs::node {
namespace {

// Whatever keeps an existing volume from being cloned passes: its server has
// died or is being replaced, or has not read of it yet.
absl::Status NotServed(int error, const std::string& path) {
  if (error == EPERM || error == EACCES) return ErrnoError(error, path);
  return Unavailable(
      "{}: famfs-fused does not show it now ({}); if it has gone it is being "
      "replaced, call again",
      path, std::strerror(error));
}

// The one step that may hang: the server is asked for the names.
absl::StatusOr<Questions::Answer> OpenInInstance(const std::string& mount_point,
                                                 const std::string& inside) {
  const std::string path = mount_point + "/" + inside;
  const UniqueFd instance(
      ::open(mount_point.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!instance.valid()) return NotServed(errno, path);
  // Between two servers there is an empty directory of the node's own.
  FAMFS_ASSIGN_OR_RETURN(const bool mounted, IsMountRoot(instance.get()));
  if (!mounted) return NotServed(ENOTCONN, path);
  open_how how = {};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  UniqueFd found(static_cast<int>(::syscall(
      SYS_openat2, instance.get(), inside.c_str(), &how, sizeof(how))));
  if (!found.valid()) return NotServed(errno, path);
  return Questions::Answer{.fd = std::move(found)};
}

absl::Status SetOn(int directory, const char* path, unsigned flags,
                   mount_attr attributes) {
  if (::mount_setattr(directory, path, flags, &attributes,
                      sizeof(attributes)) == 0) {
    return absl::OkStatus();
  }
  return ErrnoError(errno, "setting a mount's attributes");
}

absl::Status Mark(int directory, const char* path, unsigned flags) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_NOSYMFOLLOW;
  const absl::Status marked = SetOn(directory, path, flags, attributes);
  // Before Linux 5.14 there is no such attribute; then kubelet's name for the
  // place has to tell.
  return absl::IsInvalidArgument(marked) ? absl::OkStatus() : marked;
}

int Unmount(const Place& place, int flags) {
  return ::umount2(place.ProcPath().c_str(), UMOUNT_NOFOLLOW | flags);
}

}  // namespace

absl::StatusOr<UniqueFd> CloneVolume(const ServedPool& served,
                                     const VolumeRoot& root) {
  const std::string inside = root.PathInInstance();
  const std::string path = served.mount_point + "/" + inside;
  FAMFS_ASSIGN_OR_RETURN(
      const auto found,
      served.questions->Ask(path, kServerPatience,
                            [at = served.mount_point, inside] {
                              return OpenInInstance(at, inside);
                            }));
  UniqueFd tree(
      ::open_tree(found->fd.get(), "",
                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!tree.valid()) return NotServed(errno, path);
  // A clone is a peer of what it was made from, and so of all other clones:
  // what is mounted on one of them, when a dead one is bound again, would
  // appear on each, with the attributes of that one.
  mount_attr attributes = {};
  attributes.propagation = MS_PRIVATE;
  FAMFS_RETURN_IF_ERROR(SetOn(tree.get(), "", AT_EMPTY_PATH, attributes));
  return tree;
}

absl::Status SetAttributes(const UniqueFd& clone,
                           const csi::MountFlags& flags) {
  mount_attr attributes = {};
  if (flags.read_only) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if (flags.nosuid) attributes.attr_set |= MOUNT_ATTR_NOSUID;
  if (flags.nodev) attributes.attr_set |= MOUNT_ATTR_NODEV;
  if (flags.noexec) attributes.attr_set |= MOUNT_ATTR_NOEXEC;
  if (flags.noatime) {
    // The access-time settings are one field: it is cleared to be set.
    attributes.attr_clr |= MOUNT_ATTR__ATIME;
    attributes.attr_set |= MOUNT_ATTR_NOATIME;
  }
  if (attributes.attr_set == 0) return absl::OkStatus();
  return SetOn(clone.get(), "", AT_EMPTY_PATH, attributes);
}

absl::Status MarkStaging(const UniqueFd& clone) {
  return Mark(clone.get(), "", AT_EMPTY_PATH);
}

absl::Status MarkStaging(const Place& place) {
  return Mark(place.parent(), place.name().c_str(), AT_SYMLINK_NOFOLLOW);
}

csi::MountFlags AttributesOf(const MountEntry& entry) {
  csi::MountFlags flags;
  flags.read_only = entry.read_only();
  flags.nosuid = entry.HasOption("nosuid");
  flags.nodev = entry.HasOption("nodev");
  flags.noexec = entry.HasOption("noexec");
  flags.noatime = entry.HasOption("noatime");
  return flags;
}

absl::Status AttachMount(const UniqueFd& clone, const Place& place) {
  if (::move_mount(clone.get(), "", place.parent(), place.name().c_str(),
                   MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return ErrnoError(errno, fmt::format("mounting on {}", place.path()));
  }
  return absl::OkStatus();
}

absl::Status UnmountTop(const Place& place, const csi::VolumeId& volume) {
  if (Unmount(place, 0) == 0) return absl::OkStatus();
  if (errno != EBUSY) {
    return ErrnoError(errno, fmt::format("unmounting {}", place.path()));
  }
  FAMFS_ASSIGN_OR_RETURN(const MountTable table, MountTable::Read());
  if (const MountEntry* top = table.Top(place.path()); top != nullptr) {
    const std::vector<const MountEntry*> children = table.ChildrenOf(top->id);
    if (!children.empty()) {
      return FailedPrecondition(
          "{}: {} is mounted on it; unmount that first, then call again",
          place.path(), children.front()->mount_point);
    }
  }
  spdlog::warn(
      "{}: in use in this namespace, detaching it lazily, volume_id={}",
      place.path(), volume.ToString());
  return DetachTop(place);
}

absl::Status DetachTop(const Place& place) {
  if (Unmount(place, MNT_DETACH) != 0) {
    return ErrnoError(errno, fmt::format("detaching {}", place.path()));
  }
  return absl::OkStatus();
}

}  // namespace famfs::node
