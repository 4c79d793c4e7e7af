// Entries of tree volumes for raw_image.h, also ones that no writer makes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "media/format.h"
#include "media/node_record.h"
#include "media/volume_attributes.h"

namespace famfs::testing {

/// The tree volume `directory`, of the CSI name "pvc-<directory>".
MediaEntry TreeVolumeEntry(std::string_view directory,
                           std::uint64_t capacity = kGiB,
                           std::uint32_t revision = 1,
                           VolumeState state = VolumeState::kLive);

NodeRecord DirectoryRecord(TreeId parent, std::string_view name);
/// A file of `size` bytes that has had `next_piece` pieces.
NodeRecord FileRecord(TreeId parent, std::string_view name,
                      std::uint64_t size = 0, std::uint32_t next_piece = 0);
NodeRecord LinkRecord(TreeId parent, std::string_view name,
                      std::string_view target);
/// The same as its next revision, or as one that many later.
NodeRecord Later(NodeRecord record, std::uint32_t revisions = 1);
NodeRecord Removed(NodeRecord record, std::uint64_t deletion_number = 1);

/// Owner 1000, mode 0755.
MediaEntry NodeEntry(std::string_view volume, TreeId id,
                     const NodeRecord& record);
MediaEntry PieceEntry(std::string_view volume, TreeId id, std::uint32_t number,
                      const std::vector<MediaExtent>& extents);

}  // namespace famfs::testing
