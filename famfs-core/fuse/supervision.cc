#include "fuse/supervision.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace famfs {
namespace {

constexpr int kLockPatience = 20;  // attempts
constexpr int kLockPauseMs = 50;   // between them

ssize_t SendWith(int socket, std::string text, int descriptor) {
  iovec part = {.iov_base = text.data(), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const item = CMSG_FIRSTHDR(&message);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(item), &descriptor, sizeof(int));
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

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
    return Unavailable("{}: held by process {}, which serves already", path,
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
  const ssize_t told = mount < 0 ? ::write(fd, text.data(), text.size())
                                 : SendWith(fd, text, mount);
  if (told < 0) {
    spdlog::warn("nobody listens on the ready descriptor {}", fd);
  }
  ::close(fd);
}

}  // namespace famfs
