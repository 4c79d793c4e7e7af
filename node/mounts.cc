#include "node/mounts.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace famfs::node {
namespace {

constexpr int kMaxHanging = 64;
std::atomic<int> helpers = 0;

struct Pending {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<absl::StatusOr<UniqueFd>> result;
};

absl::StatusOr<UniqueFd> OpenTree(int directory, const std::string& path,
                                  const std::string& shown) {
  UniqueFd tree(::open_tree(directory, path.c_str(),
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT));
  if (tree.valid()) return tree;
  const int error = errno;
  if (error == ENOTCONN || error == ECONNABORTED || error == ESTALE) {
    return Unavailable(
        "{}: its famfs-fused has gone; it is being replaced, "
        "call again",
        shown);
  }
  return ErrnoError(error, fmt::format("cloning the mount of {}", shown));
}

int Unmount(const Place& place, int flags) {
  return ::umount2(place.ProcPath().c_str(), UMOUNT_NOFOLLOW | flags);
}

}  // namespace

absl::StatusOr<UniqueFd> Bounded(
    const std::string& what, std::chrono::milliseconds limit,
    std::function<absl::StatusOr<UniqueFd>()> work) {
  if (helpers.fetch_add(1) >= kMaxHanging) {
    helpers.fetch_sub(1);
    return Unavailable("{}: too many calls wait for servers that do not answer",
                       what);
  }
  auto pending = std::make_shared<Pending>();
  std::thread([pending, work = std::move(work)] {
    absl::StatusOr<UniqueFd> result = work();
    helpers.fetch_sub(1);
    const std::lock_guard lock(pending->mutex);
    pending->result = std::move(result);
    pending->done.notify_all();
  }).detach();
  std::unique_lock lock(pending->mutex);
  if (!pending->done.wait_for(lock, limit,
                              [&] { return pending->result.has_value(); })) {
    return Unavailable(
        "{}: famfs-fused did not answer within {} s; see its log, and restart "
        "it if it hangs",
        what, std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  }
  return *std::move(pending->result);
}

absl::StatusOr<UniqueFd> CloneMount(const std::string& path) {
  return Bounded(path, kServerPatience,
                 [path] { return OpenTree(AT_FDCWD, path, path); });
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
  if (::mount_setattr(clone.get(), "", AT_EMPTY_PATH, &attributes,
                      sizeof(attributes)) != 0) {
    return ErrnoError(errno, "setting a mount's attributes");
  }
  return absl::OkStatus();
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

absl::Status UnmountTop(const Place& place, const MountTable& table) {
  if (Unmount(place, 0) == 0) return absl::OkStatus();
  if (errno != EBUSY) {
    return ErrnoError(errno, fmt::format("unmounting {}", place.path()));
  }
  if (const MountEntry* top = table.Top(place.path()); top != nullptr) {
    const std::vector<const MountEntry*> children = table.ChildrenOf(top->id);
    if (!children.empty()) {
      return FailedPrecondition(
          "{}: {} is mounted on it; unmount that first, then call again",
          place.path(), children.front()->mount_point);
    }
  }
  spdlog::warn("{}: in use in this namespace, detaching it lazily",
               place.path());
  return DetachTop(place);
}

absl::Status DetachTop(const Place& place) {
  if (Unmount(place, MNT_DETACH) != 0) {
    return ErrnoError(errno, fmt::format("detaching {}", place.path()));
  }
  return absl::OkStatus();
}

}  // namespace famfs::node
