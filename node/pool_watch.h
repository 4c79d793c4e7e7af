// Opens the pools again and again, in a thread of its own: a controller makes a
// new instance seconds after the plugins have started, and nobody may call for
// a pool that no node seems to have; and a pool's device may be made anew at
// any time, which nobody but who looks would notice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "node/volumes.h"

namespace famfs::node {

/// Thread-safe.
class PoolWatch {
 public:
  /// Tries all once, in the caller's thread, then goes on in its own. `volumes`
  /// outlives this object.
  explicit PoolWatch(Volumes& volumes);
  ~PoolWatch();
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;

  /// Until every pool is open or elsewhere; false: not within the limit.
  bool WaitForAll(std::chrono::milliseconds limit);

 private:
  void Run();
  /// Logs an error once until it changes. Of a pool that is open it costs a
  /// look at its superblock and one system call.
  void OpenAll();

  Volumes& volumes_;
  std::map<std::string, std::string>
      told_;  // pool -> error; one thread at once

  std::mutex mutex_;
  std::condition_variable changed_;
  bool settled_ = false;  // each is open or elsewhere
  bool stopping_ = false;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::node
