// What a file system can still give to the devices whose bytes lie in it.
#pragma once

#include <string>

#include "base/status.h"
#include "dax/device.h"

namespace famfs {

/// Of the file system that `path` lies in; nothing is owed. Free is UINT64_MAX
/// where it has no limit of its own (a tmpfs of size 0), and 0 where new files
/// are to be made and there is no inode for one.
absl::StatusOr<Backing> BackingAt(const std::string& path, bool makes_files);

}  // namespace famfs
