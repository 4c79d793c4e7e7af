// Keeps one pool served on this node: finds the famfs-fused that a plugin
// before us started, or starts one, and replaces it when it dies.
//
//   starting --> serving --(dies)--> starting
//      \--> failed --(asked, or a pause of 1 s, 2 s, .. 30 s)--> starting
//
// All of that happens in one thread of its own; calls only wait for its
// outcome. The destructor ends the watch and leaves mount and server as they
// are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "node/fused/fused.h"

namespace famfs::node {

/// What a served pool is.
struct ServedPool {
  std::string mount_point;
  DataPath data_path = DataPath::kAuto;
  /// To the pool's server, whichever lives; never null.
  std::shared_ptr<Questions> questions;
};

/// For metrics.
struct PoolServing {
  std::optional<ServedPool> served;
  std::uint64_t starts = 0;  // of servers, by this process
  std::size_t overdue = 0;   // questions that the server does not answer
};

class PoolServer {
 public:
  /// Binds dead volumes again; false: not all of them, and trying again later
  /// may help.
  using Serving = std::function<bool(const ServedPool&)>;

  /// `serving` is called in the thread each time a server serves (also one that
  /// was found), after Wait has begun to answer; and again, after a pause,
  /// until it is done. It ends early when the questions are stopped.
  /// `came_back`: the instance was served before its memory went away and came
  /// back; a server of then is replaced where it is found.
  /// Unavailable: no thread or no descriptor is to be had for it.
  static absl::StatusOr<std::unique_ptr<PoolServer>> Start(
      FusedLaunch options, Serving serving, bool came_back = false);
  ~PoolServer();
  PoolServer(const PoolServer&) = delete;
  PoolServer& operator=(const PoolServer&) = delete;

  /// The served pool, at once while its server lives. Otherwise waits for the
  /// attempt under way, or starts one, at most `limit`. Unavailable: why not.
  absl::StatusOr<ServedPool> Wait(std::chrono::milliseconds limit);
  /// At once.
  [[nodiscard]] PoolServing Now();
  /// The plugin ends, or the device holds another instance now: whoever waits
  /// for the server, now or later, is answered Unavailable at once. The watch
  /// ends; mount and server stay.
  void Interrupt();
  /// Interrupt; `serving` is not called any more when it returns.
  void Stop();
  /// After Interrupt: whether no server lives that this object has started or
  /// found. Reaps it.
  [[nodiscard]] bool HasEnded();

 private:
  enum class State { kStarting, kServing, kFailed };

  PoolServer(FusedLaunch options, Serving serving, bool came_back);
  void Run();
  /// Leaves process_ set and a mount that it serves.
  absl::StatusOr<DataPath> Ensure();
  absl::StatusOr<DataPath> Adopt(FusedProcess process);
  absl::StatusOr<DataPath> StartServer();
  /// Waits for the pool's mount to appear; false: not within the limit.
  bool WaitForMount(std::chrono::milliseconds limit);
  [[nodiscard]] absl::Status RemoveDeadMounts();
  [[nodiscard]] bool IsMounted() const;
  /// Until the server has died; false: until we are to stop. Meanwhile has what
  /// it left bound again.
  bool Watch();
  void Publish(State state, absl::Status error, DataPath data_path);
  /// For the thread: it alone changes it, so that it may look without the
  /// mutex, which the analysis cannot know.
  [[nodiscard]] const FusedProcess& own_process() const
      ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return process_;
  }
  /// True: stop was asked for.
  bool WaitForEvent(int fd, short events, int timeout_ms) const;
  [[nodiscard]] bool Stopping() const;

  const FusedLaunch options_;
  const Serving serving_;
  bool came_back_;  // the thread's own: until that server is replaced
  const std::shared_ptr<Questions> questions_;
  UniqueFd stop_;  // eventfd, readable for good once we are to stop

  Mutex mutex_;
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kStarting;
  /// Somebody asks while it has failed.
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;
  /// Of the last attempt.
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  ServedPool served_ ABSL_GUARDED_BY(mutex_);
  FusedProcess process_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t starts_ ABSL_GUARDED_BY(mutex_) = 0;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::node
