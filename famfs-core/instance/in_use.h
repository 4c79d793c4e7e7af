// Who uses a device: asked before what is on it is thrown away. Only as far as
// this machine and the device can tell: of processes of other pid namespaces
// (other containers) the servers and writers that marked the device are seen
// (dax/use_mark.h), without their numbers; and a row of a host that died stands
// until it is evicted.
#pragma once

#include <string>
#include <vector>

#include "dax/device.h"
#include "instance/host_table.h"

namespace famfs {

/// A sentence each, for messages: other processes that have the device's memory
/// open or mapped, and live server sessions in the host table of the famfs
/// `fs_uuid` that stands on it. Needs root to see other users' processes. Costs
/// a look at every process of the machine.
std::vector<std::string> WhoUses(DaxDevice& device, const Uuid& fs_uuid,
                                 const ThisHost& self);

}  // namespace famfs
