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

/// How a transfer is done.
struct TransferOptions {
  Progress progress{};
  /// Asked every few MiB; an error ends the transfer with it.
  std::function<absl::Status()> go_on{};
  /// Also of a damaged instance (export): the image has all that the device
  /// holds, also what no entry that can be read names, and is damaged as it is.
  /// Only a node file without a record has no place in it.
  bool salvage = false;
};

/// Writes `device` as a flat sparse file of its size. What a file of a tree
/// volume has in a node file goes to its extents' places; what the node file
/// does not reach there is zero. AlreadyExists when `image_path` is there; on
/// error nothing is left.
[[nodiscard]] absl::Status ExportImage(DaxDevice& device,
                                       const std::string& image_path,
                                       const TransferOptions& options);

/// Makes the emulated device `directory` (new) hold the instance of a flat
/// image: superblock region, log, each file's extents, and a node file for each
/// file of a tree volume. The image must be
/// clean (fsck); on error nothing is left. What a process left that was killed
/// meanwhile is no device yet (instance/devices/unfinished.h): a second call
/// takes it.
[[nodiscard]] absl::Status ImportImage(const std::string& image_path,
                                       const std::string& directory,
                                       const Uuid& tag,
                                       const TransferOptions& options);

}  // namespace famfs
