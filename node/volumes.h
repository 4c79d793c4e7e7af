// All pools of this node, and the way from a volume id to its pool.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "csi/config.h"
#include "node/pool.h"

namespace famfs::node {

/// A volume and the pool that it lies in, which outlives the calls.
struct FoundVolume {
  Pool* pool = nullptr;
  Volume volume;
};

/// Thread-safe. A closed pool is opened by each call that needs it, and by the
/// PoolWatch.
class Volumes {
 public:
  Volumes(const std::vector<csi::PoolSection>& pools,
          const PoolSettings& settings, const Pool::Serving& serving);

  /// Never waits.
  [[nodiscard]] std::size_t open_pools() const;
  /// Those that are not open, and not elsewhere. Never waits.
  [[nodiscard]] std::size_t closed_pools() const;
  /// Unavailable names the closed pools. Never waits.
  [[nodiscard]] absl::Status CheckAllOpen() const;

  /// NotFound: a malformed id, or no such live volume. Unavailable: the pool
  /// that could hold it cannot be used now.
  absl::StatusOr<FoundVolume> Find(std::string_view volume_id);

  [[nodiscard]] const std::vector<std::unique_ptr<Pool>>& pools() const {
    return pools_;
  }

 private:
  std::vector<std::unique_ptr<Pool>> pools_;
};

}  // namespace famfs::node
