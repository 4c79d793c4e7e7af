// The local end of a copy: a file that is read whole, and one that gets its
// name when it is whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/new_file.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

class LocalSource {
 public:
  /// InvalidArgument for what is no regular file; or, unless it may be, empty:
  /// outside of tree volumes an instance has no files of 0 bytes.
  static absl::StatusOr<LocalSource> Open(const std::string& path,
                                          bool may_be_empty = false);
  ~LocalSource();
  LocalSource(LocalSource&& other) noexcept;
  LocalSource& operator=(LocalSource&&) = delete;
  LocalSource(const LocalSource&) = delete;
  LocalSource& operator=(const LocalSource&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }  // bytes
  [[nodiscard]] std::uint32_t mode() const { return mode_; }  // permission bits
  /// The whole file where it lies in memory (tmpfs): a copy from there costs
  /// one pass less. Empty elsewhere: read(2) fetches from a disk in larger
  /// pieces than faults do. A byte that is no longer there is SIGBUS.
  [[nodiscard]] std::span<const std::byte> memory() const { return memory_; }
  /// Aborted when the file is shorter now than when it was opened.
  [[nodiscard]] absl::Status CheckLength() const;
  /// Fills `into` from byte `at`; Aborted when the file has become shorter.
  [[nodiscard]] absl::Status Read(std::uint64_t at,
                                  std::span<std::byte> into) const;

 private:
  LocalSource(std::string path, UniqueFd fd, std::uint64_t size,
              std::uint32_t mode)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size), mode_(mode) {}
  void MapIfInMemory();
  [[nodiscard]] absl::Status BecameShorter() const;

  std::string path_;
  UniqueFd fd_;
  std::uint64_t size_;
  std::uint32_t mode_;
  std::span<const std::byte> memory_;
};

/// A file that gets its name when it is whole (base/new_file.h).
class LocalTarget {
 public:
  /// AlreadyExists when `path` is there, without `replace`. InvalidArgument,
  /// with or without it, when what is there is neither a regular file nor a
  /// symbolic link to one or to nothing: a device, a pipe, /dev/stdout.
  static absl::StatusOr<LocalTarget> Create(const std::string& path,
                                            bool replace);

  /// Bytes from byte `at` on; from any thread.
  [[nodiscard]] absl::Status Write(std::uint64_t at,
                                   std::span<const std::byte> bytes);
  /// Gives it its mode and its name.
  [[nodiscard]] absl::Status Finish(std::uint32_t mode);

 private:
  LocalTarget(std::string path, NewFile file, bool replace)
      : path_(std::move(path)), file_(std::move(file)), replace_(replace) {}

  std::string path_;
  NewFile file_;
  bool replace_;
};

}  // namespace famfs
