// Who holds what of a pool's devices: for famfs df and famfs map.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "instance/reader.h"
#include "tools/tree.h"

namespace famfs {

struct VolumeSpace {
  std::string directory;
  VolumeAttributes attributes;
  std::uint64_t allocated = 0;  // bytes of its files' extents
};

/// All of it from one moment of the tree.
struct PoolSpace {
  PoolFigures figures;
  std::uint64_t log_length = 0;  // bytes
  std::vector<NodeFacts> files;  // by path
  std::vector<VolumeSpace> volumes;
  std::map<std::string, PendingVolume> pending;  // by directory

  /// Bytes: superblock region, log and files.
  [[nodiscard]] std::uint64_t used() const {
    return figures.size - figures.free - figures.pending;
  }
};
absl::StatusOr<PoolSpace> SpaceOf(const Reader& reader);

enum class SegmentKind { kSuperblock, kLog, kFile, kPending, kReserved, kFree };
const char* NameOf(SegmentKind kind);

/// A range of a device and what it is.
struct Segment {
  std::uint64_t device_index = 0;
  Range range;
  SegmentKind kind = SegmentKind::kFree;
  std::string path{};  // of a file, or of a deleted volume
};

/// The whole of one device, in order, without gaps.
std::vector<Segment> SegmentsOf(const PoolSpace& space,
                                std::uint64_t device_index,
                                std::uint64_t device_size);

}  // namespace famfs
