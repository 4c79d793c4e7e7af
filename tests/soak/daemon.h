// A program that is killed and started again, as kubelet does with a container
// that has ended.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/status.h"
#include "tests/integration/support/rig.h"

namespace famfs::soak {

/// Not thread-safe: the Killer's while it runs.
class Daemon {
 public:
  /// `socket`: where it listens.
  Daemon(std::string name, rig::Process::Options options, std::string socket);

  [[nodiscard]] absl::Status Start();
  [[nodiscard]] absl::Status WaitUntilItListens();
  /// SIGKILL; to be started again after `pause`.
  void Kill(std::chrono::milliseconds pause);
  /// Starts it again when its time has come. FailedPrecondition: it has ended
  /// though nobody killed it.
  [[nodiscard]] absl::Status Look();
  /// SIGTERM. FailedPrecondition: it ended otherwise than with status 0, or
  /// not.
  [[nodiscard]] absl::Status Stop();

  [[nodiscard]] bool running() const { return process_ != nullptr; }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& socket() const { return socket_; }
  /// The end of what all its processes have said.
  [[nodiscard]] std::string Log() const;

 private:
  void Collect();

  const std::string name_;
  const rig::Process::Options options_;
  const std::string socket_;
  std::unique_ptr<rig::Process> process_;  // null: killed
  std::chrono::steady_clock::time_point start_at_{};
  std::string log_;  // of those that have ended
};

/// What a process has open, and its threads.
struct Holdings {
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  /// Of gRPC's own pools, which a burst of calls grows to a bound and nothing
  /// makes smaller at once. Not in `threads`.
  std::size_t grpc_threads = 0;
};
Holdings HoldingsOf(pid_t pid);

}  // namespace famfs::soak
