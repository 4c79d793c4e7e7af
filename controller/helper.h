// A thread for work that may never end, such as a look at a device whose file
// system hangs. Who has something done there waits for it, at most so long, and
// however many wait, there is this one thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"

namespace famfs::controller {

/// Thread-safe.
class Helper {
 public:
  /// Owns what it uses, or uses what outlives the helper: it may still run when
  /// nobody waits for it any more.
  using Job = std::function<void()>;

  /// Runs `tick` at once, and again an `interval` after each of its ends.
  /// Unavailable: there is no thread; `name` says for what.
  static absl::StatusOr<std::unique_ptr<Helper>> Start(
      const std::string& name, Job tick, std::chrono::milliseconds interval);
  /// Join().
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  /// Runs `job` when those that came before have ended. Whether it ended within
  /// `limit`; false at once while another job takes longer than that already,
  /// or after Stop. One that nobody waits for any more when its turn comes is
  /// left out.
  bool Do(Job job, std::chrono::milliseconds limit);

  /// How long the job under way has taken; 0 when there is none.
  [[nodiscard]] std::chrono::milliseconds busy() const;

  /// No further job begins. Does not wait.
  void Stop();
  /// Stop(), and waits for the job under way. Not from two threads at once.
  void Join();

 private:
  using Clock = std::chrono::steady_clock;
  /// Under mutex_: reached by queue_ and under_way_ alone.
  struct Item {
    Job job;
    bool begun = false;
    bool done = false;
    CondVar changed;
  };

  Helper(Job tick, std::chrono::milliseconds interval)
      : tick_(std::move(tick)), interval_(interval) {}
  void Run();
  /// Without the lock meanwhile.
  void RunOne(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] std::chrono::milliseconds BusyLocked() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Job tick_;
  const std::chrono::milliseconds interval_;

  mutable Mutex mutex_;  // held for moments
  CondVar wanted_;
  std::deque<std::shared_ptr<Item>> queue_ ABSL_GUARDED_BY(mutex_);
  /// No longer in the queue.
  std::shared_ptr<Item> under_way_ ABSL_GUARDED_BY(mutex_);
  std::optional<Clock::time_point> busy_since_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::controller
