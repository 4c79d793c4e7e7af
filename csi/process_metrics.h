// The process itself as Prometheus' client libraries show it: process_*.
#pragma once

#include "csi/exposition.h"

namespace famfs::csi {

void CollectProcess(Exposition& page);

}  // namespace famfs::csi
