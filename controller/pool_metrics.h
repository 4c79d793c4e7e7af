// The controller's pools and volumes in /metrics.
#pragma once

#include "controller/pool.h"
#include "csi/telemetry/exposition.h"

namespace famfs::controller {

void CollectPools(const PoolSet& pools, csi::Exposition& page);

}  // namespace famfs::controller
