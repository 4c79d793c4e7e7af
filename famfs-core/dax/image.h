// image:FILE: a flat file as a device, mapped shared. For tools and tests; data
// path `copy` only. The device's size is the file's, which must not change.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dax/device.h"

namespace famfs {

/// Creates a sparse file of `size` bytes; AlreadyExists when it is there.
[[nodiscard]] absl::Status CreateImage(const std::string& path,
                                       std::uint64_t size);

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenImage(const std::string& path,
                                                     Access access);

}  // namespace famfs
