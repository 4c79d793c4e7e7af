#include "base/unique_fd.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/uuid.h"

namespace famfs {
namespace {

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

// Makes a rename in `path`'s directory survive a power cut.
absl::Status SyncDirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  std::string directory = ".";
  if (slash != std::string::npos) {
    directory = slash == 0 ? "/" : path.substr(0, slash);
  }
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                         OpenFile(directory, O_RDONLY | O_DIRECTORY));
  // Some file systems cannot sync a directory; they say EINVAL.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) {
    return ErrnoError(errno, fmt::format("fsync {}", directory));
  }
  return absl::OkStatus();
}

absl::Status FillAndRename(UniqueFd fd, const std::string& temporary,
                           const std::string& path, std::string_view content,
                           mode_t mode) {
  FAMFS_RETURN_IF_ERROR(WriteAll(fd.get(), content, temporary));
  // open(2) applied the umask; the caller named the mode that readers need.
  if (::fchmod(fd.get(), mode) != 0) {
    return ErrnoError(errno, fmt::format("chmod {}", temporary));
  }
  if (::fsync(fd.get()) != 0) {
    return ErrnoError(errno, fmt::format("fsync {}", temporary));
  }
  fd.reset();
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoError(errno, fmt::format("rename {} to {}", temporary, path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags,
                                  mode_t mode) {
  for (;;) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (fd.valid()) return fd;
    if (errno != EINTR) return ErrnoError(errno, fmt::format("open {}", path));
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::size_t limit) {
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  std::string content;
  constexpr std::size_t kStep = 64 * 1024;
  for (;;) {
    const std::size_t done = content.size();
    // One byte more than allowed shows that the file is too long.
    content.resize(done + std::min(kStep, limit - done) + 1);
    const ssize_t n =
        ::read(fd.get(), content.data() + done, content.size() - done);
    if (n < 0) {
      content.resize(done);
      if (errno == EINTR) continue;
      return ErrnoError(errno, fmt::format("read {}", path));
    }
    content.resize(done + static_cast<std::size_t>(n));
    if (n == 0) return content;
    if (content.size() > limit) {
      return OutOfRange("{}: has more than the {} bytes that are allowed", path,
                        limit);
    }
  }
}

absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content, mode_t mode) {
  const std::string temporary =
      fmt::format("{}.{}.tmp", path, Uuid::Random().ToString());
  FAMFS_ASSIGN_OR_RETURN(
      UniqueFd fd, OpenFile(temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
  absl::Status status =
      FillAndRename(std::move(fd), temporary, path, content, mode);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return SyncDirectoryOf(path);
}

absl::Status RenameNew(const std::string& from, const std::string& to) {
  int error = 0;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
                  RENAME_NOREPLACE) != 0) {
    error = errno;
  }
  if (error == EINVAL) {
    // This file system lacks the flag; a link does not replace either.
    error = ::link(from.c_str(), to.c_str()) != 0 ? errno : 0;
    if (error == 0) ::unlink(from.c_str());
  }
  if (error != 0) {
    return ErrnoError(error, fmt::format("rename {} to {}", from, to));
  }
  return absl::OkStatus();
}

}  // namespace famfs
