#include "controller/volume_source.h"

#include <utility>

namespace famfs::controller {

bool Page::Add(VolumeInfo volume, std::size_t max_entries) {
  if (max_entries > 0 && volumes.size() == max_entries) {
    next_after = ListKey{volumes.back().pool, volumes.back().directory};
    return false;
  }
  volumes.push_back(std::move(volume));
  return true;
}

}  // namespace famfs::controller
