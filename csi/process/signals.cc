#include "csi/process/signals.h"

#include <pthread.h>

#include <utility>

#include "runtime/signals.h"

namespace famfs::csi {

ShutdownSignal::ShutdownSignal() {
  pthread_sigmask(SIG_SETMASK, nullptr, &old_mask_);
  if (auto fd = TakeSignals(kEndSignals); fd.ok()) fd_ = *std::move(fd);
}

ShutdownSignal::~ShutdownSignal() {
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

int ShutdownSignal::Wait() {
  const sigset_t set = SignalSet(kEndSignals);
  int number = 0;
  if (fd_.valid()) {
    number = NextSignal(fd_.get());
  } else {  // no descriptor was left for it; blocked they are all the same
    sigwait(&set, &number);
  }
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return number;
}

}  // namespace famfs::csi
