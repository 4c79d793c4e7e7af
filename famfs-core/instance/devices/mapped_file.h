// A file's memory as one sequence of bytes: its extents or strips, each mapped,
// on whichever device it lies; or the device's own file for it, where that has
// the bytes (dax/device.h, node files).
//
// Thread-safe as far as Mapping is.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/device_set.h"
#include "instance/tree/namespace.h"

namespace famfs {

class MappedFile {
 public:
  /// Bytes [at, at + length) of a mapping.
  struct Piece {
    Mapping* mapping = nullptr;
    std::size_t at = 0;
    std::size_t length = 0;
  };

  /// Maps all of a file. Unavailable, naming the device, when one is missing;
  /// otherwise the device's errors. `node_file`: Namespace::NodeFileOf of the
  /// file; without it one of a tree volume is not found on a device with node
  /// files. Such a file is mapped up to its size, and what another program cuts
  /// off meanwhile is missing memory (dax/missing_memory.h): Check tells.
  static absl::StatusOr<MappedFile> Map(DeviceSet& devices, const Node& file,
                                        Access access,
                                        std::string_view node_file = {});

  [[nodiscard]] std::uint64_t size() const { return node_.size; }
  /// The memory from byte `offset` of the file on, as far as it is contiguous
  /// and at most `length` bytes; empty at or past the file's end.
  [[nodiscard]] Piece At(std::uint64_t offset, std::uint64_t length) const;
  /// All pieces of [offset, offset + length), cut at the file's end, in order.
  [[nodiscard]] std::vector<Piece> Pieces(std::uint64_t offset,
                                          std::uint64_t length) const;
  /// Mapping::Check of all of it.
  [[nodiscard]] absl::Status Check() const;
  /// Write-back of [offset, offset + length), cut at the file's end.
  void WriteBack(std::uint64_t offset, std::uint64_t length);

 private:
  struct Part {
    std::uint64_t device_index;
    std::uint64_t offset;  // on the device
    std::unique_ptr<Mapping> mapping;
  };
  absl::Status MapNodeFile(DaxDevice& device, std::string_view node_file,
                           Access access);

  Node node_;                // its size, chunk and extents
  std::vector<Part> parts_;  // one for each extent or strip
};

}  // namespace famfs
