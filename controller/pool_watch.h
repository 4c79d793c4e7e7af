// Looks at the pools in a thread of its own: one that another writer took over,
// or whose device was made anew, is noticed and opened again without a call,
// and one that could not be opened is tried again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "controller/pool.h"

namespace famfs::controller {

/// Thread-safe.
class PoolWatch {
 public:
  /// Looks at each pool every second, or more often where `interval` is shorter
  /// (Pool::Look decides what there is to do). `pools` outlives this object.
  PoolWatch(PoolSet& pools, std::chrono::milliseconds interval);
  ~PoolWatch();
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;

 private:
  void Run();

  PoolSet& pools_;
  const std::chrono::milliseconds interval_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::controller
