// Gives a pool's deleted space back, in a thread of its own: no call waits for
// it, and none has to ask (docs/design.md §5, Delete).
//
// A round is Writer::Reclaim: it scrubs what every host has let go of and
// compacts. Rounds come soon after a deletion, then after ever longer pauses
// while deleted volumes wait, at the latest in each interval: a host lets go,
// or is evicted, without telling the controller.
//
// Each round also gives volumes the memory again that programs gave back
// (Writer::RefillMemory), and removes what hosts that are gone had open when it
// was removed (mailbox/orphans.h).
//
// What is logged, each once until it changes: space that came back; hosts that
// deleted volumes have waited for during a whole interval, with what to do; and
// an error.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "instance/mailbox/orphans.h"
#include "instance/writer/writer.h"

namespace famfs::controller {

struct ReclaimerOptions {
  std::string pool;  // its name, for the log
  std::chrono::milliseconds interval{10'000};
  /// The pool's writer; null: not open, the round is left out.
  std::function<std::shared_ptr<Writer>()> writer;
  /// Called before each round with the open writer. May be null.
  std::function<void(Writer&)> before_round{};
};

/// Thread-safe.
class Reclaimer {
 public:
  explicit Reclaimer(ReclaimerOptions options) : options_(std::move(options)) {}
  /// Join().
  ~Reclaimer();
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;

  /// Once. Unavailable: no thread can be had.
  [[nodiscard]] absl::Status Start();
  /// A round begins soon; returns at once. Requests that come before it begins
  /// are served by one.
  void Soon();
  /// No further round begins; a scrub under way ends after the piece that it is
  /// at, and the next start begins it again. Returns at once.
  void Stop();
  /// Stop(), and waits for the round under way. Not from two threads at once.
  void Join();
  /// Whether a round is under way.
  [[nodiscard]] bool busy() const { return busy_; }

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  /// Whether deleted volumes still wait for something.
  bool Round(Writer& writer);
  bool TryRound(Writer& writer);
  void LogRefill(const absl::Status& status);
  void LogResult(const absl::Status& status, const PoolFigures& before,
                 const PoolFigures& after);
  void LogWaiting(const Writer& writer, const PoolFigures& figures);

  const ReclaimerOptions options_;
  std::atomic<bool> busy_ = false;

  Mutex mutex_;
  CondVar wanted_;
  bool soon_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // The thread's own.
  Orphans orphans_;
  Clock::time_point waiting_since_{};
  bool waits_ = false;
  std::string logged_waiting_;
  std::string logged_error_;
  std::string logged_refill_;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::controller
