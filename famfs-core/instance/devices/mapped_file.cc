#include "instance/devices/mapped_file.h"

#include <algorithm>

namespace famfs {

absl::StatusOr<MappedFile> MappedFile::Map(DeviceSet& devices, const Node& file,
                                           Access access,
                                           std::string_view node_file) {
  MappedFile mapped;
  mapped.node_.size = file.size;
  if (DaxDevice& primary = *devices.primary();
      !node_file.empty() && primary.capabilities().has_node_files) {
    FAMFS_RETURN_IF_ERROR(mapped.MapNodeFile(primary, node_file, access));
    return mapped;
  }
  mapped.node_.set_chunk(file.chunk());
  mapped.node_.extents = file.extents;
  for (const MediaExtent& extent : file.extents) {
    FAMFS_ASSIGN_OR_RETURN(const auto device, devices.At(extent.device_index));
    FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                           device->Map(extent.offset, extent.length, access));
    mapped.parts_.push_back(
        {extent.device_index, extent.offset, std::move(mapping)});
  }
  return mapped;
}

/// As if the file were one extent: what its pieces are on the device is where
/// its bytes would lie, and nothing lies there.
absl::Status MappedFile::MapNodeFile(DaxDevice& device,
                                     std::string_view node_file,
                                     Access access) {
  if (node_.size == 0) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                         device.MapNodeFile(node_file, 0, node_.size, access));
  node_.extents = {{.device_index = 0, .offset = 0, .length = node_.size}};
  parts_.push_back(
      {.device_index = 0, .offset = 0, .mapping = std::move(mapping)});
  return absl::OkStatus();
}

MappedFile::Piece MappedFile::At(std::uint64_t offset,
                                 std::uint64_t length) const {
  if (offset >= node_.size || length == 0) return {};
  const Location place = Locate(node_, offset);
  const auto part = std::find_if(
      parts_.begin(), parts_.end(), [&place](const Part& candidate) {
        return candidate.device_index == place.device_index &&
               place.device_offset >= candidate.offset &&
               place.device_offset - candidate.offset <
                   candidate.mapping->size();
      });
  if (part == parts_.end()) return {};  // a log that was checked has none
  const std::uint64_t at = place.device_offset - part->offset;
  return {part->mapping.get(), at,
          std::min({length, place.length, part->mapping->size() - at})};
}

std::vector<MappedFile::Piece> MappedFile::Pieces(std::uint64_t offset,
                                                  std::uint64_t length) const {
  std::vector<Piece> pieces;
  while (length > 0) {
    const Piece piece = At(offset, length);
    if (piece.mapping == nullptr) break;
    pieces.push_back(piece);
    offset += piece.length;
    length -= piece.length;
  }
  return pieces;
}

absl::Status MappedFile::Check() const {
  for (const Part& part : parts_) {
    FAMFS_RETURN_IF_ERROR(part.mapping->Check());
  }
  return absl::OkStatus();
}

void MappedFile::WriteBack(std::uint64_t offset, std::uint64_t length) {
  for (const Piece& piece : Pieces(offset, length)) {
    piece.mapping->WriteBack(piece.at, piece.length);
  }
}

}  // namespace famfs
