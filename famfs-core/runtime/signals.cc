#include "runtime/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace famfs {

sigset_t SignalSet(std::span<const int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signals) ::sigaddset(&set, number);
  return set;
}

absl::StatusOr<UniqueFd> TakeSignals(std::span<const int> signals) {
  const sigset_t set = SignalSet(signals);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
      error != 0) {
    return ErrnoError(error, "pthread_sigmask");
  }
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "signalfd");
  return fd;
}

int NextSignal(int fd) {
  signalfd_siginfo info = {};
  ssize_t length = 0;
  do {
    length = ::read(fd, &info, sizeof(info));
  } while (length < 0 && errno == EINTR);
  if (length != static_cast<ssize_t>(sizeof(info))) return 0;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace famfs
