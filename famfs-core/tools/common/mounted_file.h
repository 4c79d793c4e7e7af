// A file reached through a mount, and which instance and device are behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "dax/device.h"
#include "dax/missing_memory.h"

namespace famfs {

/// What mountinfo tells of a path on a famfs mount.
struct MountOrigin {
  std::string device;  // the mount's source: normally the device's spec
  std::string path;    // in the instance; "" is the root
  std::string mount_point;
  bool is_mount_point = false;  // the path itself is the mount point
};
/// Nothing for a path that does not lie on a famfs mount. NotFound when there
/// is no such path.
absl::StatusOr<std::optional<MountOrigin>> OriginOf(const std::string& path);

/// A regular file, opened and mapped shared, whole.
class MountedFile {
 public:
  /// InvalidArgument for what is no regular file or empty.
  static absl::StatusOr<MountedFile> Open(const std::string& path,
                                          Access access);
  ~MountedFile();
  MountedFile(MountedFile&& other) noexcept;
  MountedFile& operator=(MountedFile&&) = delete;
  MountedFile(const MountedFile&) = delete;
  MountedFile& operator=(const MountedFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {data_, size_};
  }
  /// DataLoss when memory behind the mapping was missing
  /// (dax/missing_memory.h).
  [[nodiscard]] absl::Status Check() const;
  /// Cache lines of [at, at + length): written back, then dropped.
  void Invalidate(std::size_t at, std::size_t length) const;
  /// Unmaps; bytes() is empty afterwards.
  void Unmap();

 private:
  MountedFile(std::string path, UniqueFd fd, std::byte* data, std::size_t size,
              Access access)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        data_(data),
        size_(size),
        watched_(std::make_unique<WatchedMemory>(
            data, size, access == Access::kReadWrite, path_)) {}

  std::string path_;
  UniqueFd fd_;
  std::byte* data_;  // null: moved from
  std::size_t size_;
  std::unique_ptr<WatchedMemory> watched_;  // null: not mapped
};

}  // namespace famfs
