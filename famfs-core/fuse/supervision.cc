#include "fuse/supervision.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <span>

#include "base/descriptor_message.h"

namespace famfs {
namespace {

constexpr int kLockPatience = 20;  // attempts
constexpr int kLockPauseMs = 50;   // between them

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
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                         OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  // A supervisor that asks whether somebody serves has it for a moment, too.
  for (int patience = kLockPatience;
       ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK) return ErrnoError(errno, path);
    if (--patience > 0) {
      static_cast<void>(::poll(nullptr, 0, kLockPauseMs));
      continue;
    }
    std::array<char, 32> holder{};
    const ssize_t got = ::pread(fd.get(), holder.data(), holder.size() - 1, 0);
    return AlreadyExists("{}: held by process {}, which serves already", path,
                         got > 0 ? std::atoi(holder.data()) : 0);
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
