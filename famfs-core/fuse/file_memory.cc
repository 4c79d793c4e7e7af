#include "fuse/file_memory.h"

#include <cstring>

namespace famfs {

FileShape FileShape::Of(const Node& node) {
  FileShape shape;
  shape.node.id = node.id;
  shape.node.parent = node.parent;
  shape.name = node.name;
  shape.node.is_meta = node.is_meta;
  shape.node.owner = node.owner;
  shape.node.size = node.size;
  shape.node.chunk = node.chunk;
  shape.node.extents = node.extents;
  return shape;
}

absl::StatusOr<std::unique_ptr<FileMemory>> FileMemory::Map(
    DeviceSet& devices, const FileShape& shape, bool flush_lines) {
  FAMFS_ASSIGN_OR_RETURN(
      MappedFile file,
      MappedFile::Map(devices, shape.node,
                      shape.is_meta() || shape.read_only ? Access::kRead
                                                         : Access::kReadWrite));
  return std::unique_ptr<FileMemory>(
      new FileMemory(std::move(file), flush_lines));
}

std::vector<iovec> FileMemory::Read(std::uint64_t offset,
                                    std::uint64_t length) const {
  std::vector<iovec> bytes;
  for (const MappedFile::Piece& piece : file_.Pieces(offset, length)) {
    if (flush_lines_) piece.mapping->Invalidate(piece.at, piece.length);
    // iovec has no const form; nobody writes through these.
    bytes.push_back({const_cast<std::byte*>(piece.mapping->data()) + piece.at,
                     piece.length});
  }
  return bytes;
}

std::uint64_t FileMemory::Write(std::uint64_t offset,
                                std::span<const std::byte> bytes) {
  std::uint64_t done = 0;
  for (const MappedFile::Piece& piece : file_.Pieces(offset, bytes.size())) {
    std::memcpy(piece.mapping->mutable_data() + piece.at, bytes.data() + done,
                piece.length);
    if (flush_lines_) piece.mapping->WriteBack(piece.at, piece.length);
    done += piece.length;
  }
  return done;
}

void FileMemory::Zero(std::uint64_t offset, std::uint64_t length) {
  for (const MappedFile::Piece& piece : file_.Pieces(offset, length)) {
    piece.mapping->ZeroStreaming(piece.at, piece.length);
  }
}

}  // namespace famfs
