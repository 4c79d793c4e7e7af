#include "csi/process/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace famfs::csi {
namespace {

sigset_t ShutdownSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

ShutdownSignal::ShutdownSignal() {
  const sigset_t set = ShutdownSet();
  pthread_sigmask(SIG_BLOCK, &set, &old_mask_);
  fd_.reset(signalfd(-1, &set, SFD_CLOEXEC));
}

ShutdownSignal::~ShutdownSignal() {
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

int ShutdownSignal::Wait() {
  int number = 0;
  if (fd_.valid()) {
    signalfd_siginfo info = {};
    while (read(fd_.get(), &info, sizeof(info)) < 0 && errno == EINTR) {
    }
    number = static_cast<int>(info.ssi_signo);
  } else {  // no descriptor was left for a signalfd
    const sigset_t set = ShutdownSet();
    sigwait(&set, &number);
  }
  const sigset_t set = ShutdownSet();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return number;
}

}  // namespace famfs::csi
