// Emulated DCD (design §6): a tag is a directory.
//
//   DIR/device.yaml       size: BYTES, tag: UUID, hosts: [NAME...] (absent or
//                         empty: all), sparse: BOOL
//   DIR/extents/OFFSET    one file per allocated extent; OFFSET is its device
//                         offset in lower-case hexadecimal without a prefix; its
//                         size is the extent's length
//
// An extent file is created O_EXCL for one allocation, never extended, truncated
// or reused, and unlinked when its entries are gone. A file that is not of this
// form is ignored by name, never removed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dax/device.h"

namespace famfs {

struct EmulatedConfig {
  std::uint64_t size = 0;  // bytes, multiple of 2 MiB
  Uuid tag;
  std::vector<std::string> hosts;  // who may see the tag; empty: all
  /// Extents are not filled at creation: for tests whose volumes are larger than
  /// the machine. A mapping may then meet SIGBUS.
  bool sparse = false;
};

/// Makes DIR (0755), DIR/extents and DIR/device.yaml. AlreadyExists when there is
/// a device.yaml; InvalidArgument for a bad size.
[[nodiscard]] absl::Status CreateEmulatedDevice(const std::string& directory,
                                                const EmulatedConfig& config);
/// Reads DIR/device.yaml; errors carry file and line.
absl::StatusOr<EmulatedConfig> ReadEmulatedConfig(const std::string& directory);

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenEmulatedDevice(
    const std::string& directory, Access access);

}  // namespace famfs
