#include "fuse/server/supervision.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <span>

#include "base/descriptor_message.h"
#include "base/file_lock.h"
#include "base/lock_holder.h"

namespace famfs {
namespace {

constexpr std::chrono::seconds kLockPatience{1};

}  // namespace

void KeepStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // open(2) takes the lowest free number: this one.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) {
      std::abort();  // no /dev/null: nothing sensible can run here
    }
  }
}

absl::StatusOr<UniqueFd> TakeLockFile(const std::string& path) {
  // Nobody else's: who can open it could lock it, and keep every server away.
  FAMFS_ASSIGN_OR_RETURN(
      UniqueFd fd,
      OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
  // An earlier version made it readable, and so lockable, for everybody.
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 ||
      ((info.st_mode & 077) != 0 && ::fchmod(fd.get(), 0600) != 0)) {
    return ErrnoError(errno, path);
  }
  // A supervisor that asks whether somebody serves has it for a moment, too.
  FAMFS_ASSIGN_OR_RETURN(
      const bool locked,
      LockFile(fd.get(), FileLock::kExclusive, kLockPatience));
  if (!locked) {
    // Asked of the kernel: the text is that of the last server, which may not
    // be the one that holds it.
    const std::string holder = LockHolder(fd.get());
    return AlreadyExists(
        "{}: held by {}, which serves already", path,
        holder.empty() ? "a process that cannot be seen from here" : holder);
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), pid.data(), pid.size(), 0) !=
          static_cast<ssize_t>(pid.size())) {
    return ErrnoError(errno, path);
  }
  return fd;
}

void TellReady(int fd, std::string_view line, int mount) {
  if (fd < 0) return;
  const std::string text = fmt::format("{}\n", line);
  const bool told = mount < 0
                        ? ::write(fd, text.data(), text.size()) >= 0
                        : SendDescriptors(fd, text, std::span(&mount, 1)).ok();
  if (!told) spdlog::warn("nobody listens on the ready descriptor {}", fd);
  ::close(fd);
}

}  // namespace famfs
