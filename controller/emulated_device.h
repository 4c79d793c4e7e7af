// The emulated device that a pool's configuration describes
// (`pools[].emulated`).
#pragma once

#include <string>

#include "base/status.h"
#include "csi/config/config.h"

namespace famfs::controller {

/// Makes the device when its directory holds none, with a tag of its own; gives
/// an existing one the configured hosts. Nothing happens without
/// pool.emulated. FailedPrecondition when the device that is there has another
/// size: emulated devices never grow.
[[nodiscard]] absl::Status EnsureEmulatedDevice(const csi::PoolSection& pool);

}  // namespace famfs::controller
