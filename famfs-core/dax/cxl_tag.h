// The tag of volatile CXL memory. Its kernel gives it none, and a region has
// none on the medium either; what is the same on every host are the serial
// numbers of the memory devices behind it, and where it lies in them. The tag
// is the UUID (version 5, RFC 4122) of these.
#pragma once

#include <optional>
#include <string>

#include "base/uuid.h"

namespace famfs {

/// Of the dax device whose directory in sysfs is `device`, without links in it.
/// Nothing when it is of no CXL region, or one of the memory devices has no
/// serial number. `sysfs`: "/sys".
std::optional<Uuid> CxlTagOf(const std::string& sysfs,
                             const std::string& device);

}  // namespace famfs
