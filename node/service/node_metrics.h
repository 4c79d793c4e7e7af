// The node's pools, their servers and the volumes that are mounted here, in
// /metrics. What is mounted is read from the kernel's table of mounts, which
// touches no mount.
#pragma once

#include <string>

#include "csi/telemetry/exposition.h"
#include "node/pools/pools.h"
#include "node/registration/registration.h"

namespace famfs::node {

void CollectNode(const Pools& pools, const std::string& pools_directory,
                 csi::Exposition& page);
void CollectRegistration(const RegistrationReport& report,
                         csi::Exposition& page);

}  // namespace famfs::node
