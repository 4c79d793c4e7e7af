#include "instance/tree/node.h"

#include <algorithm>

namespace famfs {

void ExtentList::assign(std::span<const MediaExtent> extents) {
  Place place;
  if (extents.size() > 1) {
    place.many = new MediaExtent[RoomFor(extents.size())];
    std::copy(extents.begin(), extents.end(), place.many);
  } else if (!extents.empty()) {
    place.one = extents[0];
  }
  if (count_ > 1) delete[] place_.many;
  count_ = extents.size();
  place_ = place;
}

void ExtentList::append(std::span<const MediaExtent> extents) {
  const std::size_t count = count_ + extents.size();
  if (count <= 1) {
    if (!extents.empty()) assign(extents);
    return;
  }
  if (count_ <= 1 || count > RoomFor(count_)) {
    Place place;
    place.many = new MediaExtent[RoomFor(count)];
    std::copy(begin(), end(), place.many);
    if (count_ > 1) delete[] place_.many;
    place_ = place;
  }
  std::copy(extents.begin(), extents.end(), place_.many + count_);
  count_ = count;
}

bool ExtentList::operator==(const ExtentList& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Location Locate(const Node& node, std::uint64_t offset) {
  if (node.chunk() > 0) {
    const std::uint64_t index = offset / node.chunk();
    const std::uint64_t in_chunk = offset % node.chunk();
    const MediaExtent& strip = node.extents[index % node.extents.size()];
    const std::uint64_t row = index / node.extents.size();
    return {.device_index = strip.device_index,
            .device_offset = strip.offset + row * node.chunk() + in_chunk,
            .length = std::min(node.chunk() - in_chunk, node.size - offset)};
  }
  std::uint64_t skipped = 0;
  for (const MediaExtent& extent : node.extents) {
    if (const std::uint64_t in_extent = offset - skipped;
        in_extent < extent.length) {
      return {
          .device_index = extent.device_index,
          .device_offset = extent.offset + in_extent,
          .length = std::min(extent.length - in_extent, node.size - offset)};
    }
    skipped += extent.length;
  }
  return {};  // a size beyond the extents: the player lets none in
}

}  // namespace famfs
