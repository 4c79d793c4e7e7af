// Which instances are mounted below the pools directory, each under the uuid of
// its file system: what is bound from their devices is served.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "runtime/mount_table.h"

namespace famfs::node {

/// The uuid of each device. Cheap, and no server is asked. Unavailable when
/// that cannot be told, which is not the same as none.
absl::StatusOr<std::map<DeviceNumber, std::string>> ServedInstances(
    const std::string& pools_directory);

}  // namespace famfs::node
