// Fills in log entries before the writer stamps and publishes them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "instance/tree/namespace.h"
#include "media/format.h"

namespace famfs {

/// InvalidArgument for a mode with more than permission bits.
[[nodiscard]] absl::Status CheckOwnership(const Ownership& owner);
/// InvalidArgument: the format has no empty files.
[[nodiscard]] absl::Status EmptyFile(std::string_view path);

/// `path` was checked (media/rules.h); seqnum and checksum are left to Append.
MediaEntry NewAddDaxdevEntry(const MediaAddDaxdev& device);
MediaEntry NewMkdirEntry(std::string_view path, const Ownership& owner);
/// `chunk` 0: a file of 1..kMaxExtents extents, one after the other; else an
/// interleaved one of 1..kMaxStrips strips.
MediaEntry NewFileEntry(std::string_view path, std::uint64_t size,
                        std::uint64_t chunk,
                        std::span<const MediaExtent> extents,
                        const Ownership& owner);

/// A piece of a file of a tree volume, which fills its extents.
MediaEntry NewPieceEntry(std::string_view path,
                         std::span<const MediaExtent> extents);
/// A node's record with its owner. InvalidArgument and OutOfRange as
/// EncodeNodeRecord.
absl::StatusOr<MediaEntry> NewNodeEntry(std::string_view volume, TreeId id,
                                        const NodeRecord& record,
                                        const Ownership& owner);

}  // namespace famfs
