// image:FILE: a flat file as a device, mapped shared. For tools and tests; data
// path `copy` only. The device's size is the file's, which must not change:
// whoever shortens the file under a mapping makes its readers meet SIGBUS, as
// does a full file system under a writer, because the file is sparse.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dax/device.h"

namespace famfs {

/// Creates a sparse file of `size` bytes; AlreadyExists when it is there,
/// InvalidArgument when `size` is not a positive multiple of 2 MiB.
[[nodiscard]] absl::Status CreateImage(const std::string& path,
                                       std::uint64_t size);

/// Any regular file that is not empty, also one of an odd size: a damaged image
/// must be open to inspection.
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenImage(const std::string& path,
                                                     Access access);

/// The same of a file that is open already for reading and writing: `path` is
/// what it is called, also while it has no name yet.
absl::StatusOr<std::unique_ptr<DaxDevice>> AdoptImage(UniqueFd fd,
                                                      const std::string& path);

/// Gives a new, empty file the size of an image. InvalidArgument as
/// CreateImage.
[[nodiscard]] absl::Status SizeImage(int fd, const std::string& path,
                                     std::uint64_t size);

}  // namespace famfs
