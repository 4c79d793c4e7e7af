#include "instance/writer_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>

namespace famfs {
namespace {

/// "pid 17 (famfs-csi-controller)", from the lock file's text.
std::string HolderOf(int fd) {
  std::array<char, 128> text{};
  const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
  std::string line(text.data(),
                   length > 0 ? static_cast<std::size_t>(length) : 0);
  line = line.substr(0, line.find('\n'));
  const std::size_t space = line.find(' ');
  if (space == std::string::npos) return "another process";
  return fmt::format("pid {} ({})", line.substr(0, space),
                     line.substr(space + 1));
}

absl::Status WriteHolder(int fd, const std::string& path) {
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
  if (directory.empty()) return WriterLock(UniqueFd());
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return ErrnoError(error.value(),
                      fmt::format("create the lock directory {}", directory));
  }
  const std::string path =
      fmt::format("{}/{}.writer", directory, fs_uuid.ToString());
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDWR | O_CREAT, 0644));
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) {
      return ErrnoError(errno, fmt::format("lock {}", path));
    }
    return Unavailable(
        "file system {} is open for writing by {}; stop it, or ask it instead "
        "(lock file {})",
        fs_uuid.ToString(), HolderOf(fd.get()), path);
  }
  // The file stays when the lock goes: unlinking it would let two processes
  // lock two files of one name.
  FAMFS_RETURN_IF_ERROR(WriteHolder(fd.get(), path));
  return WriterLock(std::move(fd));
}

}  // namespace famfs
