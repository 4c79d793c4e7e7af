// The bytes of one open file of a tree volume, which may grow and be cut while
// it is open: a file of the device's own (dax/device.h, node files), read and
// written by its descriptor, or pieces at their places on the device, mapped.
//
// Which bytes are the file's is the caller's business, but for a node file,
// whose size is the file's own.
//
// Thread-safe.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fuse/files/file_memory.h"
#include "instance/devices/device_set.h"

namespace famfs {

class TreeBytes {
 public:
  virtual ~TreeBytes() = default;

  /// Some bytes; valid as long as `holder` is. A file's memory may be missing
  /// all the same when it is touched: FileMemory::Probe's errors.
  struct Bytes {
    std::vector<iovec> parts;
    std::shared_ptr<const void> holder;
  };
  /// Those of [offset, offset + length) that there are.
  virtual absl::StatusOr<Bytes> Read(std::uint64_t offset,
                                     std::uint64_t length) = 0;
  /// Stores at `offset`; all of it lies in what is allocated. `size`: the
  /// file's, as far as the caller knows: from there to `offset` it is zeroed.
  virtual FileMemory::Done Write(std::uint64_t offset,
                                 std::span<const std::byte> bytes,
                                 std::uint64_t size) = 0;
  /// Stores where nobody else does, and zeroes nothing before it, which may be
  /// what another host stores meanwhile.
  virtual FileMemory::Done WriteOwn(std::uint64_t offset,
                                    std::span<const std::byte> bytes) = 0;
  /// The same as Write with zeros. Beyond a node file's size it grows.
  virtual absl::Status Zero(std::uint64_t offset, std::uint64_t length) = 0;
  /// Of a file that has left the tree: nobody else knows of it any more.
  virtual absl::Status SetSize(std::uint64_t size) = 0;
  virtual absl::Status Probe(std::uint64_t offset, std::uint64_t length) = 0;

  /// What the file system says of a node file.
  struct Look {
    std::uint64_t size = 0;  // bytes
    std::int64_t mtime_ns = 0;
  };
  [[nodiscard]] virtual std::optional<Look> LookAtFile() const {
    return std::nullopt;
  }
  /// Whether these are the pieces that are mapped.
  [[nodiscard]] virtual bool Maps(const ExtentList& /*extents*/) const {
    return true;
  }
  /// The pieces have changed.
  [[nodiscard]] virtual absl::Status Follow(const FileShape& /*now*/) {
    return absl::OkStatus();
  }
  /// Device index and offset of all that is mapped.
  [[nodiscard]] virtual std::vector<std::pair<std::uint64_t, std::uint64_t>>
  Places() const {
    return {};
  }
  /// The descriptor of a node file, for a backing id; -1: there is none.
  [[nodiscard]] virtual int fd() const { return -1; }
};

absl::StatusOr<std::unique_ptr<TreeBytes>> OpenNodeFileBytes(
    DaxDevice& device, const std::string& name, bool read_only);
absl::StatusOr<std::unique_ptr<TreeBytes>> MapPieces(
    std::shared_ptr<DeviceSet> devices, const FileShape& shape);

}  // namespace famfs
