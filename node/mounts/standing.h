// How a place stands to a volume. What every call asks, so it is asked of the
// kernel for the one place (node/mounts/mount_at.h); the whole table of mounts
// is read only for what that cannot tell: a dead server's mount from somebody
// else's.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "csi/volume/volume_id.h"
#include "node/mounts/place.h"
#include "node/mounts/volume_mounts.h"

namespace famfs::node {

struct Standing {
  PlaceState state = PlaceState::kFree;
  bool read_only = false;  // the topmost mount
  bool staging = false;    // IsStaging(the topmost mount)
  /// Of kDead and kForeign, always: for messages and for what lies below.
  std::shared_ptr<const VolumeMounts> mounts{};
};

absl::StatusOr<Standing> Examine(const Place& place,
                                 const csi::VolumeId& volume,
                                 const std::string& pools_directory);

}  // namespace famfs::node
