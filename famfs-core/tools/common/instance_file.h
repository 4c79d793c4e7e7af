// A file of an instance, read and written where its bytes lie on the devices:
// without a mount, and without a lock on the tree meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/device_set.h"
#include "instance/reader/reader.h"
#include "instance/tree/namespace.h"

namespace famfs {

/// A piece of a file that is one range of one device.
struct FilePart {
  std::uint64_t at = 0;      // bytes, in the file
  std::uint64_t length = 0;  // bytes, at most InstanceFile::kMaxPart
  std::uint64_t device_index = 0;
  std::uint64_t device_offset = 0;  // bytes
  bool operator==(const FilePart&) const = default;
};

struct InstanceFile {
  static constexpr std::uint64_t kMaxPart = 32ULL << 20;  // bytes

  NodeId id = 0;
  std::string path;
  std::uint64_t size = 0;  // bytes
  std::uint32_t mode = 0;  // permission bits
  /// Of a tree volume's: the device's own file for it, where that has the
  /// bytes.
  std::string node_file{};
  std::vector<FilePart> parts{};  // in the file's order, without gaps

  /// InvalidArgument for a directory or a symbolic link, NotFound for nothing.
  /// A colon before the path is dropped.
  static absl::StatusOr<InstanceFile> Find(const Namespace& tree,
                                           const std::string& given);
  static InstanceFile Of(const Namespace& tree, const Node& file);

  /// Whether what was read at its parts was this file's to the end: looks at
  /// the log once more. IsReplaced when the device holds another instance by
  /// now, Aborted when the file was deleted or cut; Reader::Refresh has the
  /// rest. One of a tree volume may have grown, and its bytes may have been
  /// changed by its users meanwhile, as with any file that is written.
  [[nodiscard]] absl::Status CheckStillThere(Reader& reader) const;

  /// The part that `part` is, mapped. Unavailable when its device is
  /// missing.
  absl::StatusOr<std::unique_ptr<Mapping>> Map(DeviceSet& devices,
                                               const FilePart& part,
                                               Access access) const;
};

}  // namespace famfs
