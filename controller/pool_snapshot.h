// What a pool held at one moment, for who must never wait for its writer:
// /metrics, and whoever asks who may be anybody.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "controller/servable.h"
#include "controller/volume_info.h"
#include "instance/writer/writer.h"

namespace famfs::controller {

struct PoolSnapshot {
  /// By directory.
  using Volumes = std::vector<VolumeInfo>;

  Uuid fs_uuid;
  DeviceKind device;  // the primary
  PoolFigures figures;
  /// Writer::AvailableSpaceNow, by the data path that volumes of layout file
  /// ask for, and for tree volumes.
  absl::StatusOr<AvailableSpace> available_auto;
  absl::StatusOr<AvailableSpace> available_copy;
  absl::StatusOr<AvailableSpace> available_tree;
  std::uint64_t refilled = 0;              // bytes: Writer::refilled_bytes
  std::shared_ptr<const Volumes> volumes;  // never null
};

/// Waits for the writer. `volumes`: those of an earlier snapshot where none was
/// made or deleted since; null: they are looked up, which takes as long as
/// there are many.
PoolSnapshot TakeSnapshot(const std::string& pool, const Writer& writer,
                          std::shared_ptr<const PoolSnapshot::Volumes> volumes);

}  // namespace famfs::controller
