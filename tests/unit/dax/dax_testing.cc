#include "tests/unit/dax/dax_testing.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/units.h"

namespace famfs::testing {

bool Holds(const Mapping& mapping, std::size_t at, std::size_t length,
           std::byte value) {
  const auto bytes = mapping.bytes().subspan(at, length);
  return std::all_of(bytes.begin(), bytes.end(),
                     [value](std::byte byte) { return byte == value; });
}

Uuid SomeTag() { return *Uuid::Parse("6b1f0e1c-6a0e-4f0e-9c3b-0d9f3f6a2b11"); }

absl::StatusOr<std::unique_ptr<DaxDevice>> MakeEmulated(
    const std::string& directory, Access access, EmulatedConfig config) {
  if (config.size == 0) config.size = 64 * kMiB;
  if (config.tag.is_nil()) config.tag = SomeTag();
  FAMFS_RETURN_IF_ERROR(CreateEmulatedDevice(directory, config));
  return OpenEmulatedDevice(directory, access);
}

bool Process::Peer::Tell() {
  const char byte = 1;
  return ::send(out_.get(), &byte, 1, MSG_NOSIGNAL) == 1;
}

bool Process::Peer::Await() {
  pollfd ready{in_.get(), POLLIN, 0};
  constexpr int kDeadline = 60'000;  // milliseconds
  while (::poll(&ready, 1, kDeadline) < 0) {
    if (errno != EINTR) return false;
  }
  char byte = 0;
  return (ready.revents & POLLIN) != 0 &&
         ::recv(in_.get(), &byte, 1, MSG_DONTWAIT) == 1;
}

bool Process::Peer::Told() {
  char byte = 0;
  // 0 is the other side's end: nothing more will be told, which ends loops too.
  return ::recv(in_.get(), &byte, 1, MSG_DONTWAIT) >= 0;
}

Process::Process(const std::function<int(Peer&)>& body) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    throw std::runtime_error("socketpair failed");
  }
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  UniqueFd ours(pair[pid_ == 0 ? 1 : 0]);
  ::close(pair[pid_ == 0 ? 0 : 1]);
  UniqueFd same(::fcntl(ours.get(), F_DUPFD_CLOEXEC, 0));
  peer_.emplace(std::move(ours), std::move(same));
  if (pid_ == 0) ::_exit(body(*peer_));
}

Process::~Process() {
  if (pid_ > 0) {
    Kill();
    Wait();
  }
}

int Process::Wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Process::Kill() { ::kill(pid_, SIGKILL); }

void LetFaultsKill() { ::signal(SIGSEGV, SIG_DFL); }

std::string MountPrivately(const std::string& type,
                           const std::string& directory,
                           const std::string& options) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return "no CAP_SYS_ADMIN: cannot make a mount namespace";
  }
  if (::mount(type.c_str(), directory.c_str(), type.c_str(), 0,
              options.c_str()) != 0) {
    return fmt::format("cannot mount a {}: {}", type, std::strerror(errno));
  }
  return "";
}

std::string RemountReadOnly(const std::string& directory) {
  if (::mount(nullptr, directory.c_str(), nullptr, MS_REMOUNT | MS_RDONLY,
              nullptr) != 0) {
    return fmt::format("cannot remount {} read-only: {}", directory,
                       std::strerror(errno));
  }
  return "";
}

}  // namespace famfs::testing
