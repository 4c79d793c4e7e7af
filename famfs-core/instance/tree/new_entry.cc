#include "instance/tree/new_entry.h"

#include <algorithm>

#include "base/text.h"

namespace famfs {

absl::Status CheckOwnership(const Ownership& owner) {
  if ((owner.mode & ~07777U) == 0) return absl::OkStatus();
  return InvalidArgument("mode {:o} has bits that are no permissions",
                         owner.mode);
}

absl::Status EmptyFile(std::string_view path) {
  return InvalidArgument("file '{}' would be empty, which famfs cannot hold",
                         Printable(path));
}

MediaEntry NewAddDaxdevEntry(const MediaAddDaxdev& device) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kAddDaxdev);
  entry.add_daxdev = device;
  return entry;
}

MediaEntry NewMkdirEntry(std::string_view path, const Ownership& owner) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
  entry.mkdir.uid = owner.uid;
  entry.mkdir.gid = owner.gid;
  entry.mkdir.mode = owner.mode;
  SetPath(entry.mkdir.path, path);
  return entry;
}

MediaEntry NewFileEntry(std::string_view path, std::uint64_t size,
                        std::uint64_t chunk,
                        std::span<const MediaExtent> extents,
                        const Ownership& owner) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kFile);
  MediaFile& file = entry.file;
  file.size = size;
  file.flags = kFileFlagsWritten;
  file.uid = owner.uid;
  file.gid = owner.gid;
  file.mode = owner.mode;
  SetPath(file.path, path);
  if (chunk == 0) {
    file.extent_type = static_cast<std::uint32_t>(ExtentType::kSimple);
    file.extent_count = static_cast<std::uint32_t>(extents.size());
    std::copy_n(extents.begin(), std::min(extents.size(), kMaxExtents),
                file.extents);
    return entry;
  }
  file.extent_type = static_cast<std::uint32_t>(ExtentType::kInterleaved);
  file.extent_count = 1;
  file.interleave.strips_used = extents.size();
  file.interleave.chunk = chunk;
  std::copy_n(extents.begin(), std::min(extents.size(), kMaxStrips),
              file.interleave.strips);
  return entry;
}

MediaEntry NewPieceEntry(std::string_view path,
                         std::span<const MediaExtent> extents) {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : extents) bytes += extent.length;
  return NewFileEntry(path, bytes, 0, extents, {.mode = kLivePieceMode});
}

absl::StatusOr<MediaEntry> NewNodeEntry(std::string_view volume, TreeId id,
                                        const NodeRecord& record,
                                        const Ownership& owner) {
  MediaEntry entry = NewMkdirEntry(NodePath(volume, id), owner);
  FAMFS_RETURN_IF_ERROR(EncodeNodeRecord(record, entry.mkdir));
  return entry;
}

}  // namespace famfs
