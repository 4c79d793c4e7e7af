// Who holds what of a pool's devices: for famfs df and famfs map.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "instance/reader/reader.h"
#include "tools/common/tree.h"

namespace famfs {

struct VolumeSpace {
  std::string directory;
  VolumeAttributes attributes;
  std::uint64_t allocated = 0;  // bytes of its files' extents
};

struct PoolDevice {
  std::uint64_t index = 0;  // 0: the primary
  std::string spec;         // empty: missing
  std::uint64_t size = 0;   // bytes
};

/// All of it from one moment of the tree.
struct PoolSpace {
  SpaceReport space;
  std::uint64_t used = 0;        // bytes: superblock region, log and files
  std::uint64_t log_length = 0;  // bytes
  std::vector<PoolDevice> devices;
  std::vector<NodeFacts> files;  // by path
  std::vector<VolumeSpace> volumes;
};
PoolSpace SpaceOf(const Reader& reader);

/// Who looks, as far as the machine tells: makes no identity.
ThisHost LookingHost();

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
std::vector<Segment> SegmentsOf(const PoolSpace& pool,
                                const PoolDevice& device);

}  // namespace famfs
