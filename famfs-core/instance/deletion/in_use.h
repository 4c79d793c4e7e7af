// Who uses a device: asked before what is on it is thrown away. Only as far as
// this machine and the device can tell: of processes of other pid namespaces
// (other containers) the servers and writers that marked the device are seen
// (dax/use_mark.h), without their numbers; and a row of a host that died stands
// until it is evicted. The rows of a further device's instance stand on its
// primary and are not asked.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/deletion/host_table.h"

namespace famfs {

/// A sentence each, for messages: other processes that have any of the device's
/// memory open or mapped, and live server sessions of its host table, whatever
/// else stands on it. On a device where removed extents live on the rows are
/// not asked: one of a host that died says nothing there, and who lives holds a
/// mark. Needs root to see other users' processes. Costs a look at every
/// process of the machine. FailedPrecondition when /proc shows none.
absl::StatusOr<std::vector<std::string>> WhoUses(DaxDevice& device,
                                                 const ThisHost& self);

/// "PID (NAME)" of the other processes that have one of these open or mapped,
/// as far as this one may look; empty also where /proc shows no processes.
std::vector<std::string> ProcessesThatHave(
    const std::vector<DaxDevice::Medium>& media);

/// FailedPrecondition names who uses it, and says that `--force-in-use` gives
/// it up all the same.
[[nodiscard]] absl::Status CheckUnused(DaxDevice& device, const ThisHost& self);

}  // namespace famfs
