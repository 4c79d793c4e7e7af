// Fills in log entries before the writer stamps and publishes them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/range.h"
#include "base/status.h"
#include "instance/namespace.h"
#include "media/format.h"

namespace famfs {

/// InvalidArgument for a mode with more than permission bits.
[[nodiscard]] absl::Status CheckOwnership(const Ownership& owner);
/// InvalidArgument: the format has no empty files.
[[nodiscard]] absl::Status EmptyFile(std::string_view path);

/// `path` was checked (media/rules.h); seqnum and checksum are left to Append.
MediaEntry NewMkdirEntry(std::string_view path, const Ownership& owner);
/// A file in one extent of device 0.
MediaEntry NewFileEntry(std::string_view path, std::uint64_t size,
                        const Range& extent, const Ownership& owner);

}  // namespace famfs
