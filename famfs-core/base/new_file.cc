#include "base/new_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/file_lock.h"
#include "base/uuid.h"

namespace famfs {
namespace {

constexpr std::string_view kPartPrefix = ".famfs-part.";
constexpr int kAttempts = 100;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, slash == 0 ? 1 : slash);
}

bool IsNameOf(const std::string& path, int fd) {
  struct stat named {};
  struct stat open {};
  return ::lstat(path.c_str(), &named) == 0 && ::fstat(fd, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

/// Whether nobody else works on it.
bool TryLock(int fd) {
  return TryLockFile(fd, FileLock::kExclusive).value_or(false);
}

/// Removes what processes left that are no more.
void RemoveLeftParts(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator i(directory, error), end;
       !error && i != end; i.increment(error)) {
    if (!IsPartName(i->path().filename().string())) continue;
    const std::string path = i->path().string();
    const auto fd = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd.ok() && TryLock(fd->get()) && IsNameOf(path, fd->get())) {
      ::unlink(path.c_str());
    }
  }
}

std::string NewPartName(const std::string& path) {
  return fmt::format("{}/{}{}", DirectoryOf(path), kPartPrefix,
                     Uuid::Random().ToString());
}

struct Part {
  UniqueFd fd;
  std::string name;
};

absl::StatusOr<Part> CreatePart(const std::string& path, mode_t mode) {
  RemoveLeftParts(DirectoryOf(path));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Part part{.fd = UniqueFd(), .name = NewPartName(path)};
    part.fd.reset(
        ::open(part.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!part.fd.valid()) return ErrnoError(errno, path);
    // Another process may have taken it for a left one, just before.
    if (TryLock(part.fd.get()) && IsNameOf(part.name, part.fd.get())) {
      return part;
    }
  }
  return Unavailable("{}: others remove its unfinished file; try again", path);
}

absl::Status WriteAll(int fd, std::string_view content,
                      const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, fmt::format("write {}", path));
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return absl::OkStatus();
}

/// Makes a new name survive a power cut.
absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                         OpenFile(directory, O_RDONLY | O_DIRECTORY));
  // Some file systems cannot sync a directory; they say EINVAL.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) {
    return ErrnoError(errno, fmt::format("fsync {}", directory));
  }
  return absl::OkStatus();
}

absl::Status WriteNamed(const std::string& path, std::string_view content,
                        mode_t mode, bool replaces) {
  FAMFS_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path, 0600));
  FAMFS_RETURN_IF_ERROR(WriteAll(file.fd(), content, path));
  // Whatever the umask is: the caller named the mode that readers need.
  if (::fchmod(file.fd(), mode) != 0) {
    return ErrnoError(errno, fmt::format("chmod {}", path));
  }
  if (::fsync(file.fd()) != 0) {
    return ErrnoError(errno, fmt::format("fsync {}", path));
  }
  FAMFS_RETURN_IF_ERROR(file.Publish(replaces));
  return SyncDirectoryOf(path);
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content, mode_t mode) {
  return WriteNamed(path, content, mode, true);
}

absl::Status WriteNewFile(const std::string& path, std::string_view content,
                          mode_t mode) {
  return WriteNamed(path, content, mode, false);
}

bool IsPartName(std::string_view name) {
  return name.starts_with(kPartPrefix) &&
         Uuid::Parse(name.substr(kPartPrefix.size())).ok();
}

absl::StatusOr<NewFile> NewFile::Create(const std::string& path, mode_t mode) {
  UniqueFd fd(
      ::open(DirectoryOf(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  if (fd.valid()) return NewFile(path, std::move(fd), {});
  // EISDIR: a file system that does not know the flag.
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) {
    return ErrnoError(errno, path);
  }
  FAMFS_ASSIGN_OR_RETURN(Part part, CreatePart(path, mode));
  return NewFile(path, std::move(part.fd), std::move(part.name));
}

NewFile::~NewFile() {
  if (fd_.valid() && !part_.empty()) ::unlink(part_.c_str());
}

absl::Status NewFile::Link(const std::string& name) const {
  const std::string self = fmt::format("/proc/self/fd/{}", fd_.get());
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(),
               AT_SYMLINK_FOLLOW) == 0) {
    return absl::OkStatus();
  }
  return ErrnoError(errno, path_);
}

absl::Status NewFile::Publish(bool replaces) {
  absl::Status status;
  if (!replaces) {
    status = part_.empty() ? Link(path_) : RenameNew(part_, path_);
  } else {
    if (part_.empty()) {
      RemoveLeftParts(DirectoryOf(path_));
      const std::string part = NewPartName(path_);
      // The lock tells others that it is no left one.
      if (!TryLock(fd_.get())) return ErrnoError(errno, path_);
      FAMFS_RETURN_IF_ERROR(Link(part));
      part_ = part;
    }
    if (::rename(part_.c_str(), path_.c_str()) != 0) {
      status = ErrnoError(errno, path_);
    }
  }
  if (status.ok()) fd_.reset();
  return status;
}

}  // namespace famfs
