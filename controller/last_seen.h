// The volumes and the room of all pools as they were when somebody last looked,
// at most some two seconds ago: for questions of anybody. It never waits for a
// pool, changes nothing, and costs a pool nothing, however often it is asked.
#pragma once

#include "controller/pool.h"
#include "controller/volume_source.h"

namespace famfs::controller {

class LastSeen final : public VolumeSource {
 public:
  explicit LastSeen(PoolSet& pools) : pools_(pools) {}

  absl::StatusOr<VolumeInfo> Find(std::string_view volume_id) override;
  absl::StatusOr<Page> List(const std::optional<ListKey>& after,
                            std::size_t max_entries) override;
  /// InvalidArgument for volumes in strips: that is computed for who asks, on
  /// the driver's own socket.
  absl::StatusOr<AvailableSpace> GetCapacity(
      const csi::VolumeParameters& parameters) override;
  [[nodiscard]] absl::Status CheckServable(
      const csi::VolumeParameters& parameters,
      const Capabilities& capabilities) override;

 private:
  PoolSet& pools_;
};

}  // namespace famfs::controller
