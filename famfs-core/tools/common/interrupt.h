// Signals that ask a command to end while it makes something: it gives up what
// it has begun, and then ends as the signal would have it.
#pragma once

#include <array>
#include <csignal>

#include "base/status.h"

namespace famfs {

/// While it lives, SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE are only
/// remembered, for CheckInterrupted; the second one of a kind ends the process
/// at once. A file that becomes larger than a limit (SIGXFSZ) is an error of
/// write(2). Signals that were ignored stay so. One at a time, in the main
/// thread.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  static constexpr std::array<int, 6> kSignals = {SIGINT,  SIGTERM, SIGHUP,
                                                  SIGQUIT, SIGPIPE, SIGXFSZ};
  std::array<struct sigaction, kSignals.size()> before_{};
};

/// Cancelled when a signal came; from any thread, cheap enough for every few
/// MiB of a copy.
[[nodiscard]] absl::Status CheckInterrupted();

/// Ends the process by the signal that came, if one did.
void EndIfInterrupted();

}  // namespace famfs
