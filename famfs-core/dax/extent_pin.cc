#include "dax/extent_pin.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <mutex>

namespace famfs {
namespace {

constexpr int kLockPatience = 200;  // attempts
constexpr int kLockPauseMs = 10;    // between them
constexpr int kOtherFiles = 3;      // that may replace the one being opened

/// The file, locked against everybody else who looks at its flag.
class PinnedFile {
 public:
  static absl::StatusOr<PinnedFile> Lock(const std::string& path) {
    FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                           OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    // Held for a few system calls; but its holder may be stopped.
    for (int patience = kLockPatience;
         ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        return ErrnoError(errno, fmt::format("lock {}", path));
      }
      if (--patience == 0) {
        return Unavailable("{}: another process keeps it locked", path);
      }
      static_cast<void>(::poll(nullptr, 0, kLockPauseMs));
    }
    return PinnedFile(path, std::move(fd));
  }

  [[nodiscard]] bool pinned() const {
    int flags = 0;
    return ::ioctl(fd_.get(), FS_IOC_GETFLAGS, &flags) == 0 &&
           (flags & FS_IMMUTABLE_FL) != 0;
  }

  [[nodiscard]] absl::Status Set(bool pinned) const {
    int flags = 0;
    if (::ioctl(fd_.get(), FS_IOC_GETFLAGS, &flags) != 0) {
      return pinned ? ErrnoError(errno, path_) : absl::OkStatus();
    }
    const int wanted =
        pinned ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    if (wanted == flags || ::ioctl(fd_.get(), FS_IOC_SETFLAGS, &wanted) == 0) {
      return absl::OkStatus();
    }
    if (errno == EPERM) {
      return PermissionDenied(
          "{}: its immutable flag cannot be {} without CAP_LINUX_IMMUTABLE",
          path_, pinned ? "set" : "taken off");
    }
    return ErrnoError(errno, fmt::format("immutable flag of {}", path_));
  }

  /// Whether anybody holds a lock as Serve takes it.
  [[nodiscard]] bool IsServed() const {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return ::fcntl(fd_.get(), F_OFD_GETLK, &lock) != 0 ||
           lock.l_type != F_UNLCK;
  }

  /// Whether `fd` is of this file, and not of a later one of the path.
  [[nodiscard]] bool Is(int fd) const {
    struct stat own {};
    struct stat other {};
    return ::fstat(fd_.get(), &own) == 0 && ::fstat(fd, &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
  }

 private:
  PinnedFile(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;  // its end is the lock's
};

/// The lock that says that a descriptor's file is served.
[[nodiscard]] absl::Status Serve(int fd, const std::string& path) {
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return absl::OkStatus();
  return ErrnoError(errno, fmt::format("lock {}", path));
}

void WarnOnce(const absl::Status& why) {
  static std::once_flag once;
  std::call_once(once, [&why] {
    spdlog::warn(
        "programs that map a volume can give its memory back "
        "(madvise MADV_REMOVE): {}; it takes Linux 6.6 and "
        "CAP_LINUX_IMMUTABLE to forbid that. The owner of the pool notices and "
        "mends it, but what stood there is lost",
        Message(why));
  });
}

/// Opens with the flag off, and leaves it as `pinned` says.
absl::StatusOr<UniqueFd> OpenUnderLock(const PinnedFile& file,
                                       const PinnedOpener& open, bool pinned) {
  FAMFS_RETURN_IF_ERROR(file.Set(false));
  auto fd = open();
  const absl::Status set = pinned ? file.Set(true) : absl::OkStatus();
  if (!set.ok()) WarnOnce(set);
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> OpenAndPin(const std::string& path,
                                    const PinnedOpener& open) {
  for (int attempt = 0; attempt < kOtherFiles; ++attempt) {
    FAMFS_ASSIGN_OR_RETURN(const PinnedFile file, PinnedFile::Lock(path));
    FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, OpenUnderLock(file, open, true));
    if (file.Is(fd.get())) {
      FAMFS_RETURN_IF_ERROR(Serve(fd.get(), path));
      return fd;
    }
    // What was locked has left the path meanwhile.
    if (!file.IsServed()) FAMFS_RETURN_IF_ERROR(file.Set(false));
  }
  return Unavailable("{}: is replaced again and again", path);
}

absl::StatusOr<UniqueFd> OpenDespitePin(const std::string& path,
                                        const PinnedOpener& open) {
  auto fd = open();
  if (!absl::IsPermissionDenied(fd.status())) return fd;
  const auto file = PinnedFile::Lock(path);
  if (!file.ok() || !file->pinned()) return fd;
  return OpenUnderLock(*file, open, file->IsServed());
}

absl::Status ChangeDespitePin(const std::string& path,
                              const std::function<absl::Status()>& change) {
  FAMFS_ASSIGN_OR_RETURN(const PinnedFile file, PinnedFile::Lock(path));
  if (!file.pinned()) return change();
  FAMFS_RETURN_IF_ERROR(file.Set(false));
  absl::Status status = change();
  const absl::Status set = file.Set(file.IsServed());
  if (!set.ok()) WarnOnce(set);
  return status;
}

absl::Status RemoveDespitePin(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return absl::OkStatus();
  const absl::Status refused =
      ErrnoError(errno, fmt::format("unlink {}", path));
  if (!absl::IsPermissionDenied(refused)) return refused;
  const auto file = PinnedFile::Lock(path);
  if (!file.ok() || !file->pinned()) return refused;
  // Whoever has it open may do with its memory what he likes from now on: it is
  // nobody's volume.
  FAMFS_RETURN_IF_ERROR(file->Set(false));
  if (::unlink(path.c_str()) == 0) return absl::OkStatus();
  return ErrnoError(errno, fmt::format("unlink {}", path));
}

absl::StatusOr<bool> IsPinned(const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const PinnedFile file, PinnedFile::Lock(path));
  return file.pinned();
}

absl::Status ClearStalePin(const std::string& path) {
  const auto file = PinnedFile::Lock(path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(file.status());
  if (!file->pinned() || file->IsServed()) return absl::OkStatus();
  return file->Set(false);
}

}  // namespace famfs
