#include "tools/show/pool_space.h"

#include <algorithm>

#include "instance/deletion/host_table.h"
#include "instance/devices/system_uuid.h"
#include "media/format.h"

namespace famfs {

ThisHost LookingHost() {
  return {.host = LoadSystemUuid().value_or(Uuid{}),
          .boot = LoadBoot().value_or(0)};
}

PoolSpace SpaceOf(const Reader& reader) {
  PoolSpace pool;
  {
    // One view for all that is told of the tree; the rest comes right after it
    // from the same log, as nobody refreshes this reader.
    const auto tree = reader.Tree();
    pool.files = AllFiles(*tree);
    for (const auto& [directory, id] : tree->volumes()) {
      const Node* const node = tree->Find(id);
      if (node == nullptr || node->volume == nullptr) continue;
      VolumeSpace volume{.directory = directory, .attributes = *node->volume};
      ForEachBelow(*tree, *node, false, [&](const Node& below) {
        volume.allocated += FactsOf(*tree, below).allocated();
      });
      pool.volumes.push_back(std::move(volume));
    }
  }
  const PoolFigures taken = reader.Figures();
  pool.used = taken.size - taken.free - taken.pending;
  pool.space = reader.Space(LookingHost());
  pool.log_length = reader.superblock().log_length;
  const std::vector<MediaAddDaxdev> added = reader.AddedDevices();
  for (std::uint64_t i = 0; i <= added.size(); ++i) {
    const auto device = reader.devices()->Find(i);
    pool.devices.push_back(
        {.index = i,
         .spec = device == nullptr ? "" : device->spec(),
         .size = i == 0 ? reader.superblock().device_size : added[i - 1].size});
  }
  return pool;
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

std::vector<Segment> SegmentsOf(const PoolSpace& pool,
                                const PoolDevice& device) {
  std::vector<Segment> taken;
  const auto add = [&](const MediaExtent& extent, SegmentKind kind,
                       const std::string& path) {
    if (extent.device_index != device.index) return;
    taken.push_back({.device_index = device.index,
                     .range = {extent.offset, extent.length},
                     .kind = kind,
                     .path = path});
  };
  add({device.index, kSuperblockOffset, kSuperblockRegion},
      SegmentKind::kSuperblock, "");
  add({0, kLogOffset, pool.log_length}, SegmentKind::kLog, "");
  for (const NodeFacts& file : pool.files) {
    for (const MediaExtent& extent : file.extents) {
      add(extent, SegmentKind::kFile, file.path);
    }
  }
  for (const DeletedVolume& volume : pool.space.deleted) {
    for (const MediaExtent& extent : volume.space.extents) {
      add(extent, SegmentKind::kPending, volume.directory);
    }
  }
  for (const MediaExtent& extent : pool.space.promised) {
    add(extent, SegmentKind::kReserved, "");
  }
  std::sort(taken.begin(), taken.end(), [](const Segment& a, const Segment& b) {
    return a.range < b.range;
  });
  std::vector<Segment> all;
  std::uint64_t at = 0;
  const auto free_until = [&](std::uint64_t end) {
    if (end <= at) return;
    all.push_back({.device_index = device.index, .range = {at, end - at}});
  };
  for (Segment& segment : taken) {
    free_until(segment.range.offset);
    at = segment.range.end();
    all.push_back(std::move(segment));
  }
  free_until(device.size);
  return all;
}

}  // namespace famfs
