#include "instance/writer/writer_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>

#include "base/file_lock.h"
#include "base/lock_holder.h"

namespace famfs {
namespace {

// Each turn means that a holder ended in between, so few are enough.
constexpr int kAttempts = 100;

absl::Status MakeDirectory(const std::string& directory) {
  const std::filesystem::path path(directory);
  std::error_code error;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
  }
  // One that is there keeps its mode: it may not be ours alone.
  if (error || (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)) {
    return ErrnoError(error ? error.value() : errno,
                      fmt::format("create the lock directory {}", directory));
  }
  return absl::OkStatus();
}

/// Whether nobody else can have put the file there, or can open it.
absl::Status CheckOwn(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(info.st_mode)) {
    return FailedPrecondition(
        "the lock file {} is no regular file; remove it, or name another "
        "directory with --lock-directory",
        path);
  }
  if (info.st_uid != ::geteuid()) {
    return PermissionDenied(
        "the lock file {} is that of the user {}; remove it when no writer "
        "runs, or name another directory with --lock-directory",
        path, info.st_uid);
  }
  // An earlier version made it readable, and so lockable, for everybody.
  if ((info.st_mode & 077) != 0 && ::fchmod(fd, 0600) != 0) {
    return ErrnoError(errno, path);
  }
  return absl::OkStatus();
}

/// Whether the name still is that of the file that is open.
bool IsStillThere(int fd, const std::string& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// What the last writer wrote there: "pid 17 (famfs-csi-controller)".
std::string LastWriter(int fd) {
  std::array<char, 128> text{};
  const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
  std::string line(text.data(),
                   length > 0 ? static_cast<std::size_t>(length) : 0);
  line = line.substr(0, line.find('\n'));
  const std::size_t space = line.find(' ');
  if (space == std::string::npos) return {};
  return fmt::format("pid {} ({})", line.substr(0, space),
                     line.substr(space + 1));
}

absl::Status IsHeld(int fd, const Uuid& fs_uuid, const std::string& path) {
  std::string holder = LockHolder(fd);
  if (holder.empty()) {
    // Processes of other containers are not shown here.
    const std::string last = LastWriter(fd);
    holder = "a process that cannot be seen from here";
    if (!last.empty()) {
      holder += fmt::format("; the last writer on this host was {}", last);
    }
  }
  return Unavailable(
      "file system {} is open for writing by {}; stop it, or ask it instead "
      "(lock file {})",
      fs_uuid.ToString(), holder, path);
}

absl::Status WriteOwnName(int fd, const std::string& path) {
  const std::string text =
      fmt::format("{} {}\n", ::getpid(), program_invocation_short_name);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) !=
                                     static_cast<ssize_t>(text.size())) {
    return ErrnoError(errno, fmt::format("write lock file {}", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WriterLock> WriterLock::Acquire(const std::string& directory,
                                               const Uuid& fs_uuid) {
  if (directory.empty()) return WriterLock(UniqueFd(), {});
  FAMFS_RETURN_IF_ERROR(MakeDirectory(directory));
  const std::string path =
      fmt::format("{}/{}.writer", directory, fs_uuid.ToString());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    FAMFS_ASSIGN_OR_RETURN(
        UniqueFd fd,
        OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
    FAMFS_RETURN_IF_ERROR(CheckOwn(fd.get(), path));
    const auto locked = TryLockFile(fd.get(), FileLock::kExclusive);
    if (!locked.ok()) return Annotate(locked.status(), path);
    if (!*locked) return IsHeld(fd.get(), fs_uuid, path);
    // A holder that ended removed the file under its lock: then what is locked
    // here is nobody's any more.
    if (!IsStillThere(fd.get(), path)) continue;
    FAMFS_RETURN_IF_ERROR(WriteOwnName(fd.get(), path));
    return WriterLock(std::move(fd), path);
  }
  return Unavailable("{}: comes and goes; try again", path);
}

WriterLock::~WriterLock() {
  if (!fd_.valid()) return;
  // Under the lock, so that it is the locked file that goes, and before the
  // lock goes, so that nobody gets it under this name.
  if (IsStillThere(fd_.get(), path_)) ::unlink(path_.c_str());
}

}  // namespace famfs
