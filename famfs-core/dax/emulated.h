// Emulated DCD (docs/data-paths.md): a tag is a directory.
//
//   DIR/device.yaml       size: BYTES, tag: UUID, hosts: [NAME...] (absent or
//                         empty: all), sparse: BOOL
//   DIR/extents/OFFSET    one file per allocated extent; OFFSET is its device
//                         offset in lower-case hexadecimal without a prefix;
//                         its size is the extent's length
//   DIR/files/NAME        one file per growing file (node); made when it is
//                         missing, as in devices of an older release
//
// An extent file is created O_EXCL for one allocation, never extended,
// truncated or reused, and unlinked when its entries are gone. It is made under
// the name .OFFSET.UUID and renamed into place when its pages are there, so
// that nobody ever sees a short one; CleanUp removes such names. Any other file
// is ignored by name, never removed. Extent files are 0600: they hold the
// volumes' contents.
//
// A node file (dax/node_files.h; NAME is the caller's) is made empty, 0600, and
// grows and shrinks with the file whose bytes it holds: its size is that file's
// size, and memory is allocated beyond it.
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
  std::vector<std::string> hosts{};  // who may see the tag; empty: all
  /// Extents are not filled at creation: for tests whose volumes are larger
  /// than the machine. A mapping may then meet SIGBUS.
  bool sparse = false;
};

/// Makes DIR (0755), DIR/extents, DIR/files and DIR/device.yaml. AlreadyExists
/// when there is a device.yaml, or extents or node files of an earlier device;
/// InvalidArgument for a bad size or a nil tag; NotFound when DIR's parent is
/// missing.
[[nodiscard]] absl::Status CreateEmulatedDevice(const std::string& directory,
                                                const EmulatedConfig& config);
/// Reads DIR/device.yaml. Errors carry file, line and column (base/yaml.h):
/// InvalidArgument for what is written there, NotFound when there is none.
absl::StatusOr<EmulatedConfig> ReadEmulatedConfig(const std::string& directory);

/// Rewrites DIR/device.yaml with other hosts. It holds for who opens the device
/// from then on; whoever has it open keeps it. Unavailable while an instance is
/// being made there.
[[nodiscard]] absl::Status SetEmulatedHosts(
    const std::string& directory, const std::vector<std::string>& hosts);

/// By which name an emulated device knows this host: $FAMFS_HOST, else
/// gethostname(2).
std::string EmulatedHostName();

/// PermissionDenied, naming both, when `hosts` is not empty and does not have
/// this host, and when kReadWrite is asked for a directory that is not
/// writable.
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenEmulatedDevice(
    const std::string& directory, Access access);

}  // namespace famfs
