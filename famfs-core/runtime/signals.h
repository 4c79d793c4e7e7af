// Signals as something to wait for, beside other descriptors.
#pragma once

#include <csignal>
#include <span>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

/// What asks a program to end.
inline constexpr int kEndSignals[] = {SIGTERM, SIGINT};

/// As sigprocmask(2) wants them.
sigset_t SignalSet(std::span<const int> signals);

/// Blocks these signals in this thread and in those that it starts later, for
/// good: call it in main, before there are threads. What it returns is readable
/// (poll(2)) while one waits, and closed on exec. Blocked they are also when
/// there is no descriptor for them (Unavailable, as a rule).
///
/// A child process inherits the mask: start children with an empty one, as
/// Spawn does (runtime/spawn.h), or they never see SIGTERM.
absl::StatusOr<UniqueFd> TakeSignals(std::span<const int> signals);

/// Waits for the next one and returns its number; 0 when the descriptor of
/// TakeSignals cannot be read.
int NextSignal(int fd);

}  // namespace famfs
