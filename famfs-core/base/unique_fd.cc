#include "base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace famfs {

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
  constexpr std::size_t kStep = std::size_t{64} * 1024;
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
