#include "fuse/file_memory.h"

#include <algorithm>
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

FileMemory::FileMemory(const FileShape& shape, bool flush_lines)
    : shape_(shape), flush_lines_(flush_lines) {}

absl::StatusOr<std::unique_ptr<FileMemory>> FileMemory::Map(
    DaxDevice& device, const FileShape& shape, bool flush_lines) {
  std::unique_ptr<FileMemory> memory(new FileMemory(shape, flush_lines));
  for (const MediaExtent& extent : shape.node.extents) {
    if (extent.device_index != 0) {
      return Unimplemented("{}: an extent lies on secondary device {}",
                           Printable(shape.name), extent.device_index);
    }
    FAMFS_ASSIGN_OR_RETURN(
        std::unique_ptr<Mapping> mapping,
        device.Map(extent.offset, extent.length,
                   shape.is_meta() ? Access::kRead : Access::kReadWrite));
    memory->parts_.push_back({extent.offset, std::move(mapping)});
  }
  return memory;
}

std::vector<FileMemory::Piece> FileMemory::Pieces(std::uint64_t offset,
                                                  std::uint64_t length) const {
  std::vector<Piece> pieces;
  if (offset >= shape_.size()) return pieces;
  std::uint64_t left = std::min(length, shape_.size() - offset);
  while (left > 0) {
    const Location place = Locate(shape_.node, offset);
    const auto part = std::find_if(
        parts_.begin(), parts_.end(), [&place](const Part& candidate) {
          return place.device_offset >= candidate.offset &&
                 place.device_offset - candidate.offset <
                     candidate.mapping->size();
        });
    if (part == parts_.end()) break;  // a log whose rules were checked has none
    const std::uint64_t at = place.device_offset - part->offset;
    const std::uint64_t here =
        std::min({left, place.length, part->mapping->size() - at});
    pieces.push_back({part->mapping.get(), at, here});
    offset += here;
    left -= here;
  }
  return pieces;
}

std::vector<iovec> FileMemory::Read(std::uint64_t offset,
                                    std::uint64_t length) const {
  std::vector<iovec> bytes;
  for (const Piece& piece : Pieces(offset, length)) {
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
  for (const Piece& piece : Pieces(offset, bytes.size())) {
    std::memcpy(piece.mapping->mutable_data() + piece.at, bytes.data() + done,
                piece.length);
    if (flush_lines_) piece.mapping->WriteBack(piece.at, piece.length);
    done += piece.length;
  }
  return done;
}

}  // namespace famfs
