// Things that are done at a moment unless something else came first: how long a
// close() waits for the owner. One thread; what it calls must not block.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"

namespace famfs {

/// Thread-safe.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;
  ~Patience() { Stop(); }

  /// Before the first At. Unavailable: no thread is to be had.
  [[nodiscard]] absl::Status Start();
  /// Calls it at that moment; at once when this has stopped.
  void At(Clock::time_point moment, std::function<void()> late);
  /// Calls all that is left.
  void Stop();

 private:
  void Run();

  Mutex mutex_;
  CondVar wake_;
  std::multimap<Clock::time_point, std::function<void()>> waiting_
      ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace famfs
