// Ends the process when its end takes too long: a thread that waits for a
// device that hangs, say, cannot be joined, and whoever sent SIGTERM waits.
//
//   FAMFS_ASSIGN_OR_RETURN(auto limit, EndLimit::Start([weak] { ... }));
//   signals.Wait();
//   limit->Begin(std::chrono::seconds(9));
//   ...                                       // stop and destroy everything
//   // limit is destroyed last: all has ended in time
//
// A thread in the kernel's hands that no signal reaches (state D, such as one
// that stores to a file system that is frozen) outlives even that: the process
// is gone for everybody but whoever waits for its status, who waits on.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"

namespace famfs::csi {

/// Thread-safe.
class EndLimit {
 public:
  /// `under_way` says what has not ended, for the log; it waits for nothing.
  /// Unavailable: no thread can be had.
  static absl::StatusOr<std::unique_ptr<EndLimit>> Start(
      std::function<std::string()> under_way);
  ~EndLimit();
  EndLimit(const EndLimit&) = delete;
  EndLimit& operator=(const EndLimit&) = delete;

  /// The end begins now: while this object lives, it takes at most so long, and
  /// then the process exits with 1. The first call counts.
  void Begin(std::chrono::milliseconds limit);

 private:
  explicit EndLimit(std::function<std::string()> under_way)
      : under_way_(std::move(under_way)) {}
  void Run();

  const std::function<std::string()> under_way_;
  Mutex mutex_;
  CondVar changed_;
  /// Set: the end has begun.
  std::optional<std::chrono::milliseconds> limit_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::csi
