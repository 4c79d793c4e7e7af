// A device drawn as characters and as SVG.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/show/pool_space.h"

namespace famfs {

struct DeviceMap {
  std::string name;
  std::uint64_t size = 0;         // bytes
  std::vector<Segment> segments;  // all of it, in order
};

struct TextPicture {
  unsigned width = 80;  // characters, with the offsets at the left
  unsigned rows = 16;
  bool color = false;
};
/// Picture and legend. Lines end with a newline.
std::string DrawText(const DeviceMap& map, const TextPicture& picture);

/// A whole SVG document; each segment tells by its title what it is.
std::string DrawSvg(const DeviceMap& map);

/// Files by what they hold, the largest first; equal ones by path. Volumes that
/// are pending are not in it.
struct FileShare {
  std::string path;
  std::uint64_t bytes = 0;  // of the device
};
std::vector<FileShare> LargestFiles(const DeviceMap& map);
/// Bytes of each kind.
std::map<SegmentKind, std::uint64_t> BytesByKind(const DeviceMap& map);

}  // namespace famfs
