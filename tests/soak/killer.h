// Kills daemons at random moments and starts them again, in a thread of its
// own; a daemon that ends by itself is a failure.
#pragma once

#include <thread>

#include "base/unique_fd.h"
#include "tests/soak/cluster.h"
#include "tests/soak/progress.h"

namespace famfs::soak {

/// The cluster's daemons are its own while it lives.
class Killer {
 public:
  /// `kills`: false: only looks whether all live.
  Killer(Cluster& cluster, Progress& progress, std::uint64_t seed, bool kills);
  /// All daemons run again when it returns, or the run has failed.
  ~Killer();
  Killer(const Killer&) = delete;
  Killer& operator=(const Killer&) = delete;

 private:
  void Run();
  /// False: the run has failed.
  bool LookAtAll();
  void KillOne();
  void KillServers(const Node& node, bool all);

  Cluster& cluster_;
  Progress& progress_;
  Random random_;
  const bool kills_;
  UniqueFd stop_;
  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::soak
