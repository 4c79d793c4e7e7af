// The files of an emulated device's growing files: DIR/files (dax/emulated.h).
// What each call does, and its errors, are DaxDevice's calls of the same names
// (dax/device.h).
//
// What forbids giving extents' memory back (dax/extent_pin.h) does so for files
// that grow, too, since on tmpfs the two flags forbid different things:
//
//                                          immutable   append-only
//   pwrite, also beyond the size           goes on     goes on
//   a store by a mapping made before       goes on     goes on
//   a mapping or an opening through FUSE   goes on     goes on
//   ftruncate by a descriptor              goes on     EPERM
//   fallocate, also with KEEP_SIZE         EPERM       goes on
//   PUNCH_HOLE, MADV_REMOVE                EPERM       EPERM
//   opening for writing                    EPERM       with O_APPEND alone
//
// So a served file is immutable, and append-only for as long as memory is given
// to it. ftruncate takes all memory behind the new size along, also what
// fallocate put there, and does so when the size stays: hence Resize. (On ext4
// an immutable file cannot even be written to: elsewhere than on tmpfs files
// are served without a flag.)
//
// Thread-safe; processes may use one directory at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/range.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "dax/device.h"

namespace famfs {

/// "TEXT.0123456789abcdef": some bytes, a dot and 16 digits; no slash, no
/// leading dot, at most 120 bytes.
bool IsNodeFileName(std::string_view name);

class NodeFiles {
 public:
  /// `directory` need not be there. `sparse`: the device promises no memory.
  NodeFiles(std::string directory, bool sparse)
      : directory_(std::move(directory)), sparse_(sparse) {}

  [[nodiscard]] absl::Status Create(std::string_view name) const;
  [[nodiscard]] absl::StatusOr<UniqueFd> Open(std::string_view name,
                                              Access access) const;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Mapping>> Map(
      std::string_view name, std::uint64_t at, std::uint64_t length,
      Access access) const;
  [[nodiscard]] absl::StatusOr<bool> EndServing(std::string_view name) const;
  /// Of all that are there; an error is the first one.
  [[nodiscard]] absl::Status EndAllServing() const;
  [[nodiscard]] absl::Status Allocate(std::string_view name, Range range) const;
  [[nodiscard]] absl::Status Resize(std::string_view name, std::uint64_t size,
                                    std::uint64_t allocated) const;
  [[nodiscard]] absl::Status Lengthen(std::string_view name,
                                      std::uint64_t size) const;
  [[nodiscard]] absl::Status Trim(std::string_view name,
                                  std::uint64_t allocated) const;
  [[nodiscard]] absl::Status Remove(std::string_view name) const;
  [[nodiscard]] absl::StatusOr<std::uint64_t> Lacking(
      std::string_view name, std::uint64_t allocated) const;

  struct Scan {
    std::vector<DaxDevice::NodeFile> files;  // by name
    std::vector<std::string> malformed;      // a sentence each
  };
  [[nodiscard]] absl::StatusOr<Scan> List() const;
  /// Malformed ones, too.
  [[nodiscard]] absl::StatusOr<std::vector<DaxDevice::Medium>> ListMedia()
      const;

 private:
  /// What has a node file's name; nothing where there is no directory.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Names() const;
  [[nodiscard]] std::string PathOf(std::string_view name) const;
  /// The path, if a regular file is there: NotFound, DataLoss; InvalidArgument
  /// for a name that is none.
  [[nodiscard]] absl::StatusOr<std::string> Find(std::string_view name) const;

  const std::string directory_;
  const bool sparse_;
};

}  // namespace famfs
