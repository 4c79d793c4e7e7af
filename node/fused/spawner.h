// famfs-fused-spawner: starts famfs-fused for a plugin that runs in another
// container, so that the servers outlive the plugin's container. It is the
// first process of its own container; the servers are its children, and end
// with it.
//
// One thread; a request is answered when it has come whole, so callers that say
// nothing keep nobody waiting.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "node/fused/fused.h"
#include "node/fused/spawner_wire.h"
#include "runtime/socket_file.h"

namespace famfs::node {

class Spawner {
 public:
  /// Listens at `socket` (mode 0600), replacing a stale one; that name goes
  /// with the spawner. Blocks SIGCHLD, SIGTERM and SIGINT in the calling
  /// thread: make it first in main. FailedPrecondition: another spawner answers
  /// there.
  static absl::StatusOr<std::unique_ptr<Spawner>> Start(
      const std::string& socket, const std::string& fused_program);
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Serves until SIGTERM or SIGINT; then ends the children (SIGTERM; they
  /// leave their mounts) and waits for them, at most ten seconds.
  void Run();

 private:
  Spawner(std::string socket, std::string fused_program);
  struct Connection {
    UniqueFd fd;
    std::chrono::steady_clock::time_point end;  // of our patience
  };
  /// False: we are to end.
  bool HandleSignal();
  void Accept();
  void CannotAccept(int error);
  /// For poll(2).
  [[nodiscard]] int Timeout(bool accepts) const;
  void ServeConnection(const Connection& connection);
  void DropSilent();
  [[nodiscard]] SpawnerMessage Answer(const SpawnerMessage& request);
  absl::StatusOr<SpawnerMessage> StartChild(const FusedLaunch& options,
                                            const UniqueFd& fuse);
  absl::StatusOr<SpawnerMessage> FindChild(const std::string& lock_file);
  void Reap();
  void EndChildren();

  const std::string socket_;
  const std::string fused_program_;
  std::unique_ptr<SocketFile> listener_;
  UniqueFd signals_;                    // TakeSignals'
  std::deque<Connection> connections_;  // silent so far; the oldest first
  std::chrono::steady_clock::time_point accept_after_{};
  bool logged_ = false;                    // that none can be taken
  std::map<pid_t, std::string> children_;  // pid -> lock file
};

}  // namespace famfs::node
