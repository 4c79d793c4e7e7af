#include "raw_tree.h"

#include <stdexcept>
#include <string>

#include "instance/tree/new_entry.h"
#include "raw_image.h"

namespace famfs::testing {

MediaEntry TreeVolumeEntry(std::string_view directory, std::uint64_t capacity,
                           std::uint32_t revision, VolumeState state) {
  VolumeAttributes attributes = Attributes("pvc-" + std::string(directory));
  attributes.layout = VolumeLayout::kTree;
  attributes.capacity = capacity;
  attributes.revision = revision;
  attributes.state = state;
  if (state == VolumeState::kDeleted) attributes.deletion_number = 9;
  return VolumeEntry(directory, attributes);
}

NodeRecord DirectoryRecord(TreeId parent, std::string_view name) {
  NodeRecord record;
  record.kind = NodeKind::kDirectory;
  record.parent = parent;
  record.name = name;
  return record;
}

NodeRecord FileRecord(TreeId parent, std::string_view name, std::uint64_t size,
                      std::uint32_t next_piece) {
  NodeRecord record;
  record.parent = parent;
  record.name = name;
  record.size = size;
  record.next_piece = next_piece;
  return record;
}

NodeRecord LinkRecord(TreeId parent, std::string_view name,
                      std::string_view target) {
  NodeRecord record;
  record.kind = NodeKind::kSymlink;
  record.parent = parent;
  record.name = name;
  record.target = target;
  return record;
}

NodeRecord Later(NodeRecord record, std::uint32_t revisions) {
  record.revision += revisions;
  return record;
}

NodeRecord Removed(NodeRecord record, std::uint64_t deletion_number) {
  ++record.revision;
  record.state = NodeState::kRemoved;
  record.deletion_number = deletion_number;
  return record;
}

MediaEntry NodeEntry(std::string_view volume, TreeId id,
                     const NodeRecord& record) {
  auto entry = NewNodeEntry(volume, id, record,
                            {.uid = 1000, .gid = 1000, .mode = 0755});
  if (!entry.ok())
    throw std::runtime_error(std::string(entry.status().message()));
  return *entry;
}

MediaEntry PieceEntry(std::string_view volume, TreeId id, std::uint32_t number,
                      const std::vector<MediaExtent>& extents) {
  return NewPieceEntry(PiecePath(volume, id, number), extents);
}

}  // namespace famfs::testing
