#include "tools/pool_space.h"

#include <algorithm>

#include "media/format.h"

namespace famfs {

absl::StatusOr<PoolSpace> SpaceOf(const Reader& reader) {
  PoolSpace space;
  {
    // One view for all that is told of the tree; the figures come right after
    // it from the same log, as nobody refreshes this reader.
    const auto tree = reader.Tree();
    space.files = AllFiles(*tree);
    for (const auto& [directory, id] : tree->volumes()) {
      const Node* const node = tree->Find(id);
      if (node == nullptr || node->volume == nullptr) continue;
      VolumeSpace volume{.directory = directory, .attributes = *node->volume};
      ForEachBelow(*tree, *node, false, [&](const Node& below) {
        volume.allocated += FactsOf(*tree, below).allocated();
      });
      space.volumes.push_back(std::move(volume));
    }
  }
  space.figures = reader.Figures();
  space.log_length = reader.superblock().log_length;
  for (const auto& [directory, volume] : reader.Pending()) {
    space.pending.emplace(directory, volume);
  }
  return space;
}

const char* NameOf(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::kSuperblock:
      return "superblock";
    case SegmentKind::kLog:
      return "log";
    case SegmentKind::kFile:
      return "file";
    case SegmentKind::kPending:
      return "pending";
    case SegmentKind::kReserved:
      return "reserved";
    case SegmentKind::kFree:
      return "free";
  }
  return "unknown";
}

std::vector<Segment> SegmentsOf(const PoolSpace& space,
                                std::uint64_t device_index,
                                std::uint64_t device_size) {
  std::vector<Segment> taken;
  const auto add = [&](const MediaExtent& extent, SegmentKind kind,
                       const std::string& path) {
    if (extent.device_index != device_index) return;
    taken.push_back({.device_index = device_index,
                     .range = {extent.offset, extent.length},
                     .kind = kind,
                     .path = path});
  };
  add({0, kSuperblockOffset, kSuperblockRegion}, SegmentKind::kSuperblock, "");
  add({0, kLogOffset, space.log_length}, SegmentKind::kLog, "");
  for (const NodeFacts& file : space.files) {
    for (const MediaExtent& extent : file.extents) {
      add(extent, SegmentKind::kFile, file.path);
    }
  }
  for (const auto& [directory, volume] : space.pending) {
    for (const MediaExtent& extent : volume.extents) {
      add(extent, SegmentKind::kPending, directory);
    }
  }
  std::sort(taken.begin(), taken.end(), [](const Segment& a, const Segment& b) {
    return a.range < b.range;
  });
  std::vector<Segment> all;
  std::uint64_t at = 0;
  const auto free_until = [&](std::uint64_t end) {
    if (end <= at) return;
    all.push_back({.device_index = device_index, .range = {at, end - at}});
  };
  for (Segment& segment : taken) {
    free_until(segment.range.offset);
    at = segment.range.end();
    all.push_back(std::move(segment));
  }
  free_until(device_size);
  return all;
}

}  // namespace famfs
