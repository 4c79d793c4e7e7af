// A range of a regular file, mapped shared: what the kinds of device that are
// made of files have in common.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "dax/device.h"

namespace famfs {

/// Maps [at, at + length) of the file behind `fd`, which may be closed
/// afterwards. `at` need not be page-aligned. The whole range must lie within
/// the file (else OutOfRange: touching it would be SIGBUS). `path` is where the
/// file is found again, `name` is for messages.
absl::StatusOr<std::unique_ptr<Mapping>> MapFile(
    int fd, const std::string& path, std::uint64_t at, std::uint64_t length,
    Access access, const std::string& name);

/// Device and inode of the file that the path leads to now; NotFound.
absl::StatusOr<DaxDevice::Medium> MediumAt(const std::string& path);

/// `path` from the root and without slashes at its end, so that a device's spec
/// stays good when the process changes its directory.
std::string AbsolutePath(const std::string& path);

/// Opens a file in such a way that reading it keeps no access times, where the
/// kernel can do that; never through a symbolic link.
absl::StatusOr<UniqueFd> OpenWithoutAccessTimes(const std::string& path,
                                                int flags);

/// Fills [offset, offset + length) of the file with pages; what is there stays.
/// ResourceExhausted when the file system is full, Unimplemented when it cannot
/// do it; `name` is for messages.
[[nodiscard]] absl::Status AllocatePages(int fd, std::uint64_t offset,
                                         std::uint64_t length,
                                         const std::string& name);

}  // namespace famfs
