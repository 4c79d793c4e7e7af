#include "dax/extent_pin.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>

#include "base/file_lock.h"

namespace famfs {
namespace {

constexpr std::chrono::seconds kLockPatience{2};
constexpr int kOtherFiles = 3;  // that may replace the one being opened

// What forbids giving memory back: while the file is served, and while it is
// opened or filled.
constexpr int kServed = FS_IMMUTABLE_FL;
constexpr int kOpening = FS_APPEND_FL;
constexpr int kUnpinned = 0;

void WarnOfNoPin(const absl::Status& why) {
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

void WarnOfNoLease(const std::string& path, int error) {
  static std::once_flag once;
  std::call_once(once, [&] {
    spdlog::warn(
        "{}: whether a program still maps it cannot be told, as the kernel "
        "gives no lease ({}; is the sysctl fs.leases-enable 0?): extents keep "
        "the immutable flag, which `chattr -R -ia` on the device's directory "
        "takes off when nobody uses it",
        path, std::strerror(error));
  });
}

/// The file, locked against everybody else who looks at its flags.
class PinnedFile {
 public:
  /// Unavailable: it is locked, after so much time, too.
  static absl::StatusOr<PinnedFile> Lock(
      const std::string& path,
      std::chrono::milliseconds patience = kLockPatience) {
    FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                           OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    // Held for a few system calls; but its holder may be stopped.
    const auto locked = LockFile(fd.get(), FileLock::kExclusive, patience);
    if (!locked.ok()) return Annotate(locked.status(), path);
    if (!*locked) {
      return Unavailable("{}: another process keeps it locked", path);
    }
    return PinnedFile(path, std::move(fd));
  }

  [[nodiscard]] bool pinned() const {
    int flags = 0;
    return ::ioctl(fd_.get(), FS_IOC_GETFLAGS, &flags) == 0 &&
           (flags & (kServed | kOpening)) != 0;
  }

  /// One of the constants above, in place of the other one.
  [[nodiscard]] absl::Status Set(int pin) const {
    int flags = 0;
    if (::ioctl(fd_.get(), FS_IOC_GETFLAGS, &flags) != 0) {
      return pin == kUnpinned ? absl::OkStatus() : ErrnoError(errno, path_);
    }
    const int wanted = (flags & ~(kServed | kOpening)) | pin;
    if (wanted == flags || ::ioctl(fd_.get(), FS_IOC_SETFLAGS, &wanted) == 0) {
      return absl::OkStatus();
    }
    if (errno != EPERM) {
      return ErrnoError(errno, fmt::format("immutable flag of {}", path_));
    }
    if (pin == kServed) {
      return PermissionDenied(
          "{}: its immutable flag cannot be set without CAP_LINUX_IMMUTABLE",
          path_);
    }
    return PermissionDenied(
        "{0}: its immutable flag, which it has while it is served, cannot be "
        "taken off without CAP_LINUX_IMMUTABLE; do this as root or, when "
        "nobody has the volume open or mapped, run `chattr -ia {0}`",
        path_);
  }

  /// Whether nobody can store to the file, be it by a mapping. No later opener
  /// comes in between: the flag keeps him out until he has the flock.
  [[nodiscard]] bool IsFree() const {
    // Somebody who opens the file all the same breaks the lease by a signal;
    // by default one that kills.
    static_cast<void>(::fcntl(fd_.get(), F_SETSIG, SIGURG));
    if (::fcntl(fd_.get(), F_SETLEASE, F_RDLCK) == 0) {
      static_cast<void>(::fcntl(fd_.get(), F_SETLEASE, F_UNLCK));
      return true;
    }
    if (errno != EAGAIN) WarnOfNoLease(path_, errno);
    return false;
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

/// Opens a pinned file; `fill` may be null. It is served afterwards.
absl::StatusOr<UniqueFd> OpenPinned(const PinnedFile& file,
                                    const PinnedOpener& open,
                                    const PinnedUser& fill) {
  FAMFS_RETURN_IF_ERROR(file.Set(kOpening));
  // What is append-only can be opened for appending alone.
  auto fd = open(O_APPEND);
  absl::Status status = fd.status();
  if (fd.ok() && fill) status = fill(fd->get());
  FAMFS_RETURN_IF_ERROR(file.Set(kServed));
  FAMFS_RETURN_IF_ERROR(status);
  const int flags = ::fcntl(fd->get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd->get(), F_SETFL, flags & ~O_APPEND) != 0) {
    return ErrnoError(errno, "F_SETFL of an extent's file");
  }
  return fd;
}

absl::StatusOr<UniqueFd> OpenAndUse(const PinnedOpener& open,
                                    const PinnedUser& use) {
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, open(0));
  if (use) FAMFS_RETURN_IF_ERROR(use(fd.get()));
  return fd;
}

/// Opens, by itself or, where the flags forbid it, in the way of `pinned`,
/// which is for a file whose pin stays.
absl::StatusOr<UniqueFd> OpenEither(
    const std::string& path, const PinnedOpener& open, const PinnedUser& use,
    const std::function<absl::StatusOr<UniqueFd>(const PinnedFile&)>& pinned) {
  auto fd = OpenAndUse(open, use);
  if (!absl::IsPermissionDenied(fd.status())) return fd;
  const auto file = PinnedFile::Lock(path);
  if (absl::IsUnavailable(file.status())) return file.status();
  if (!file.ok()) return fd;
  if (file->pinned() && !file->IsFree()) return pinned(*file);
  FAMFS_RETURN_IF_ERROR(file->Set(kUnpinned));
  return OpenAndUse(open, use);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenAndPin(const std::string& path,
                                    const PinnedOpener& open) {
  for (int attempt = 0; attempt < kOtherFiles; ++attempt) {
    FAMFS_ASSIGN_OR_RETURN(const PinnedFile file, PinnedFile::Lock(path));
    const bool pinned = file.pinned();
    FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                           pinned ? OpenPinned(file, open, nullptr) : open(0));
    // What was locked may have left the path meanwhile.
    if (!file.Is(fd.get())) continue;
    if (pinned) return fd;
    if (const absl::Status set = file.Set(kServed); !set.ok()) WarnOfNoPin(set);
    return fd;
  }
  return Unavailable("{}: is replaced again and again", path);
}

absl::StatusOr<UniqueFd> OpenDespitePin(const std::string& path,
                                        const PinnedOpener& open,
                                        const PinnedUser& use) {
  return OpenEither(
      path, open, use, [&](const PinnedFile& file) -> absl::StatusOr<UniqueFd> {
        FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, OpenPinned(file, open, nullptr));
        if (use) FAMFS_RETURN_IF_ERROR(use(fd.get()));
        return fd;
      });
}

absl::Status FillDespitePin(const std::string& path, const PinnedOpener& open,
                            const PinnedUser& fill) {
  return OpenEither(path, open, fill,
                    [&](const PinnedFile& file) {
                      return OpenPinned(file, open, fill);
                    })
      .status();
}

absl::Status RemoveDespitePin(const std::string& path) {
  const auto remove = [&path] {
    return ::unlink(path.c_str()) == 0
               ? absl::OkStatus()
               : ErrnoError(errno, fmt::format("unlink {}", path));
  };
  absl::Status status = remove();
  if (!absl::IsPermissionDenied(status)) return status;
  const auto file = PinnedFile::Lock(path);
  if (absl::IsUnavailable(file.status())) return file.status();
  if (!file.ok()) return status;
  // Whoever has it open may do with its memory what he likes from now on: it is
  // nobody's volume. A server that lets go of it may have been first.
  const bool pinned = file->pinned();
  if (pinned) FAMFS_RETURN_IF_ERROR(file->Set(kUnpinned));
  status = remove();
  if (!status.ok() && pinned) {
    IgnoreError(file->Set(kServed), "it was set before");
  }
  return status;
}

absl::StatusOr<bool> IsPinned(const std::string& path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) !=
      0) {
    return ErrnoError(errno, fmt::format("stat {}", path));
  }
  return (info.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) !=
         0;
}

absl::StatusOr<bool> Unpin(const std::string& path) {
  const auto pinned = IsPinned(path);
  if (absl::IsNotFound(pinned.status())) return true;
  FAMFS_RETURN_IF_ERROR(pinned.status());
  if (!*pinned) return true;
  const auto file = PinnedFile::Lock(path, std::chrono::milliseconds(0));
  if (absl::IsNotFound(file.status())) return true;
  if (absl::IsUnavailable(file.status())) return false;
  FAMFS_RETURN_IF_ERROR(file.status());
  if (!file->pinned()) return true;
  if (!file->IsFree()) return false;
  FAMFS_RETURN_IF_ERROR(file->Set(kUnpinned));
  return true;
}

}  // namespace famfs
