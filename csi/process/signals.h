// Turns SIGTERM and SIGINT into something a main can wait for, and gives them
// back after the first one.
#pragma once

#include <csignal>

#include "base/unique_fd.h"

namespace famfs::csi {

/// Blocks both signals as TakeSignals does (runtime/signals.h), which tells
/// what that means for threads and children: make it first in main.
class ShutdownSignal {
 public:
  ShutdownSignal();
  ~ShutdownSignal();  // restores the mask
  ShutdownSignal(const ShutdownSignal&) = delete;
  ShutdownSignal& operator=(const ShutdownSignal&) = delete;

  /// Returns the signal's number. From then on a second signal ends the process
  /// at once: who asks twice does not want to wait for the drain.
  int Wait();
  /// Readable once a signal is there: for poll(2) beside other descriptors.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  sigset_t old_mask_{};
  UniqueFd fd_;
};

}  // namespace famfs::csi
