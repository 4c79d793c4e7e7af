// The process itself as Prometheus' client libraries show it: process_*.
#pragma once

#include "csi/telemetry/exposition.h"

namespace famfs::csi {

void CollectProcess(Exposition& page);

}  // namespace famfs::csi
