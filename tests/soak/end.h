// What must be true when all lives are over: nothing is left of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "tests/soak/cluster.h"
#include "tests/soak/daemon.h"

namespace famfs::soak {

/// GetCapacity of every pool, as text.
absl::StatusOr<std::string> Capacities(Cluster& cluster);

/// Names and sizes of all that lies below a directory, in the test program's
/// mount namespace.
std::vector<std::string> Listing(const std::string& directory);

/// Waits until no volume is there and GetCapacity is as it was.
[[nodiscard]] absl::Status AwaitGivenBack(Cluster& cluster,
                                          const std::string& capacities);
/// On the nodes: no mount but the pools', no directory of kubelet's but its
/// roots, no row of a killed server in the image's host table.
[[nodiscard]] absl::Status CheckNodes(Cluster& cluster);

/// Of each daemon and server that lives, by its name.
std::map<std::string, Holdings> AllHoldings(Cluster& cluster);
/// Waits until none holds more than it did.
[[nodiscard]] absl::Status AwaitHoldings(
    Cluster& cluster, const std::map<std::string, Holdings>& before);

/// SIGTERM to all; the pools are unmounted, which ends their servers. Then no
/// process, no socket and no lock is left.
[[nodiscard]] absl::Status EndAll(Cluster& cluster);
/// `famfs fsck` of every pool.
[[nodiscard]] absl::Status CheckDevices(const Cluster& cluster);

}  // namespace famfs::soak
