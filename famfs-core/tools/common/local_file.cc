#include "tools/common/local_file.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace famfs {
namespace {

absl::Status TargetExists(const std::string& path) {
  return AlreadyExists("{}: is there already; --force replaces it", path);
}

const char* KindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFCHR:
      return "a character device";
    case S_IFBLK:
      return "a block device";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    default:
      return "no regular file";
  }
}

/// A link of /dev or /proc (/dev/stdout) belongs to the system, whatever it
/// leads to.
bool IsOfTheSystem(const std::string& link) {
  std::error_code ignored;
  const std::string to =
      std::filesystem::read_symlink(link, ignored).string() + "/";
  // /dev/shm holds files like any tmpfs.
  return to.starts_with("/proc/") ||
         (to.starts_with("/dev/") && !to.starts_with("/dev/shm/"));
}

/// Whether a new file may have this name, in place of what has it now.
absl::Status CheckTarget(const std::string& path, bool replace) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoError(errno, path);
  }
  const bool is_link = S_ISLNK(info.st_mode);
  if (is_link && IsOfTheSystem(path)) {
    return InvalidArgument(
        "{}: is a symbolic link of the system's; name a regular file", path);
  }
  // A link to nothing may be replaced.
  const bool known = !is_link || ::stat(path.c_str(), &info) == 0;
  if (known && !S_ISREG(info.st_mode)) {
    return InvalidArgument("{}: is {}{}; name a regular file", path,
                           is_link ? "a symbolic link to " : "",
                           KindOf(info.st_mode));
  }
  return replace ? absl::OkStatus() : TargetExists(path);
}

}  // namespace

absl::StatusOr<LocalSource> LocalSource::Open(const std::string& path,
                                              bool may_be_empty) {
  // O_NONBLOCK: a FIFO named by mistake must not hang.
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY | O_NONBLOCK));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, path);
  if (S_ISDIR(info.st_mode)) {
    return InvalidArgument(
        "{}: is a directory; -r copies it with what it holds", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument("{}: is no regular file", path);
  }
  if (info.st_size == 0 && !may_be_empty) {
    return InvalidArgument(
        "{}: is empty, and outside of tree volumes a famfs instance has no "
        "files of 0 bytes",
        path);
  }
  LocalSource source(path, std::move(fd),
                     static_cast<std::uint64_t>(info.st_size),
                     info.st_mode & 0777);
  source.MapIfInMemory();
  return source;
}

LocalSource::LocalSource(LocalSource&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      size_(other.size_),
      mode_(other.mode_),
      memory_(std::exchange(other.memory_, {})) {}

LocalSource::~LocalSource() {
  if (!memory_.empty()) {
    ::munmap(const_cast<std::byte*>(memory_.data()), memory_.size());
  }
}

void LocalSource::MapIfInMemory() {
  struct statfs info {};
  if (::fstatfs(fd_.get(), &info) != 0 || info.f_type != TMPFS_MAGIC) return;
  void* const base =
      ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_.get(), 0);
  if (base == MAP_FAILED) return;  // Read does without
  memory_ = {static_cast<const std::byte*>(base), size_};
}

absl::Status LocalSource::BecameShorter() const {
  return Aborted("{}: became shorter than {} bytes while it was copied", path_,
                 size_);
}

absl::Status LocalSource::CheckLength() const {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return ErrnoError(errno, path_);
  if (static_cast<std::uint64_t>(info.st_size) < size_) return BecameShorter();
  return absl::OkStatus();
}

absl::Status LocalSource::Read(std::uint64_t at,
                               std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t n =
        ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, path_);
    if (n == 0) return BecameShorter();
    at += static_cast<std::uint64_t>(n);
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return absl::OkStatus();
}

absl::StatusOr<LocalTarget> LocalTarget::Create(const std::string& path,
                                                bool replace) {
  FAMFS_RETURN_IF_ERROR(CheckTarget(path, replace));
  FAMFS_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path));
  return LocalTarget(path, std::move(file), replace);
}

absl::Status LocalTarget::Write(std::uint64_t at,
                                std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file_.fd(), bytes.data(), bytes.size(),
                               static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, path_);
    at += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status LocalTarget::Finish(std::uint32_t mode) {
  if (::fchmod(file_.fd(), mode & 0777) != 0) return ErrnoError(errno, path_);
  const absl::Status status = file_.Publish(replace_);
  return absl::IsAlreadyExists(status) ? TargetExists(path_) : status;
}

}  // namespace famfs
