// What is made by hand.
#include "instance/devices/mapped_file.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/unpublished_file.h"
#include "instance/writer/writer.h"
#include "instance/writer/writer_parts.h"
#include "media/rules.h"

namespace famfs {

absl::Status Writer::Mkdir(std::string_view path, Ownership owner) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  FAMFS_ASSIGN_OR_RETURN(const Claim claim, parts_->creations.Reserve(
                                                {.path = std::string(path)}));
  MediaEntry entry = NewMkdirEntry(path, owner);
  return parts_->creations.Publish(claim, std::span(&entry, 1));
}

absl::Status Writer::CreateFile(std::string_view path, std::uint64_t size,
                                Ownership owner, const FileLayout& layout) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  if (size == 0) return EmptyFile(path);
  FAMFS_ASSIGN_OR_RETURN(const Claim claim,
                         parts_->creations.Reserve({.path = std::string(path),
                                                    .size = size,
                                                    .max_extents = kMaxExtents,
                                                    .layout = layout}));
  MediaEntry entry =
      NewFileEntry(path, size, claim.chunk, claim.extents, owner);
  return parts_->creations.Publish(claim, std::span(&entry, 1));
}

absl::StatusOr<std::unique_ptr<PendingFile>> Writer::BeginFile(
    std::string_view path, std::uint64_t size, Ownership owner,
    const FileLayout& layout) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  if (size == 0) return EmptyFile(path);
  FAMFS_ASSIGN_OR_RETURN(Claim claim,
                         parts_->creations.Reserve({.path = std::string(path),
                                                    .size = size,
                                                    .max_extents = kMaxExtents,
                                                    .layout = layout,
                                                    .to_fill = true}));
  Node shape;
  shape.size = size;
  shape.set_chunk(claim.chunk);
  shape.extents.assign(claim.extents);
  auto mapped =
      MappedFile::Map(*parts_->state.devices, shape, Access::kReadWrite);
  if (!mapped.ok()) {
    parts_->creations.GiveUp(claim);
    return mapped.status();
  }
  const MediaEntry entry =
      NewFileEntry(path, size, claim.chunk, claim.extents, owner);
  return std::make_unique<UnpublishedFile>(parts_->creations, std::move(claim),
                                           entry, *std::move(mapped));
}

}  // namespace famfs
