// Between an emulated device and the flat image that upstream's tools read.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "dax/device.h"

namespace famfs {

/// Called with bytes done and bytes in all; from the calling thread.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Writes `device` as a flat sparse file of its size. AlreadyExists when
/// `image_path` is there; on error nothing is left.
[[nodiscard]] absl::Status ExportImage(DaxDevice& device,
                                       const std::string& image_path,
                                       const Progress& progress);

/// Makes the emulated device `directory` (new) hold the instance of a flat
/// image: superblock region, log and each file's extents. The image must be
/// clean (fsck); on error nothing is left.
[[nodiscard]] absl::Status ImportImage(const std::string& image_path,
                                       const std::string& directory,
                                       const Uuid& tag,
                                       const Progress& progress);

}  // namespace famfs
