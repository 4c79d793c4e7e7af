// The memory of one file, mapped by the server: what read() and write() use
// when the kernel sends them here. Bounded by the file's size, whatever lies
// behind.
//
// Memory that is missing (dax/missing_memory.h) is an error of the access that
// met it alone, and is looked for again by the next one.
//
// Thread-safe: the bytes are shared memory, and concurrent stores to the same
// bytes mix as they do between two processes that map the file.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "instance/devices/device_set.h"
#include "instance/devices/mapped_file.h"
#include "instance/tree/namespace.h"

namespace famfs {

/// Where a file lies: a Node without its place in the tree, which it outlives.
struct FileShape {
  Node node;               // of a file; without a name
  std::string name;        // the last component, for messages
  bool read_only = false;  // the memory is mapped for reading alone
  /// Of a file of a tree volume: what the device's own file is called, where it
  /// has such (Namespace::NodeFileOf). Empty: of no tree volume.
  std::string node_file;
  std::uint64_t allocated = 0;  // of a tree volume: bytes that its pieces hold
  [[nodiscard]] bool in_tree() const { return !node_file.empty(); }
  [[nodiscard]] std::uint64_t size() const { return node.size; }
  [[nodiscard]] bool is_meta() const { return node.is_meta; }
  static FileShape Of(const Node& node, const Namespace& tree);

  FileShape() = default;
  FileShape(const FileShape& other)
      : name(other.name),
        read_only(other.read_only),
        node_file(other.node_file),
        allocated(other.allocated) {
    TakeShape(other.node);
  }
  FileShape(FileShape&&) = default;
  FileShape& operator=(FileShape other) noexcept {
    node = std::move(other.node);
    name = std::move(other.name);
    read_only = other.read_only;
    node_file = std::move(other.node_file);
    allocated = other.allocated;
    return *this;
  }
  ~FileShape() = default;

 private:
  void TakeShape(const Node& from);
};

class FileMemory {
 public:
  /// `flush_lines`: the memory may be cached by hosts that do not snoop each
  /// other, so reads invalidate first and writes write back. Unavailable when a
  /// device that the file lies on is missing.
  static absl::StatusOr<std::unique_ptr<FileMemory>> Map(DeviceSet& devices,
                                                         const FileShape& shape,
                                                         bool flush_lines);

  /// What an access came to: so many bytes, and why not more. The errors are
  /// Mapping::MissingError's; an access that ends at the file's end is OK.
  struct Done {
    std::uint64_t bytes = 0;
    absl::Status status{};
  };

  /// The bytes of [offset, offset + length), cut at the file's end, in order;
  /// empty at or past the end. Valid as long as this object. They may be
  /// missing all the same when they are touched: Probe tells.
  absl::StatusOr<std::vector<iovec>> Read(std::uint64_t offset,
                                          std::uint64_t length) const;
  /// Stores what fits before the file's end, and before the first byte that is
  /// missing.
  Done Write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Zeroes what lies in [offset, offset + length); done when it returns OK.
  absl::Status Zero(std::uint64_t offset, std::uint64_t length);
  /// Whether what lies in [offset, offset + length) can be loaded.
  absl::Status Probe(std::uint64_t offset, std::uint64_t length) const;

 private:
  FileMemory(MappedFile file, bool flush_lines)
      : file_(std::move(file)), flush_lines_(flush_lines) {}

  MappedFile file_;
  bool flush_lines_;
};

}  // namespace famfs
