// All pools of this node, and the way from a volume id to its pool.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "csi/config/config.h"
#include "node/pools/pool.h"
#include "node/pools/pool_watch.h"

namespace famfs::node {

/// A volume and the pool that it lies in.
struct FoundVolume {
  std::shared_ptr<Pool> pool;
  Volume volume;
};

/// Thread-safe. Each pool has a PoolWatch; calls wait for one look at the pool
/// that matters to them, at most kLookPatience.
class Pools {
 public:
  Pools(const std::vector<csi::PoolSection>& sections,
        const PoolSettings& settings, const Pool::Serving& serving);
  /// `serving` is not called any more when it returns.
  ~Pools();
  Pools(const Pools&) = delete;
  Pools& operator=(const Pools&) = delete;

  /// Begins to look, and waits for the first looks. Unavailable: there are no
  /// threads for it.
  [[nodiscard]] absl::Status Start();

  // At once, as of the last looks:

  [[nodiscard]] std::size_t open_pools() const;
  /// Those that are not open, and not elsewhere.
  [[nodiscard]] std::size_t closed_pools() const;
  /// Unavailable names the closed pools.
  [[nodiscard]] absl::Status CheckAllOpen() const;
  /// Whether an instance is a pool's, or may be: of one that was never seen
  /// nobody can tell while a pool is not open.
  [[nodiscard]] bool MayHold(const Uuid& fs_uuid) const;

  /// NotFound: a malformed id, or no such live volume. Unavailable: the pool
  /// that could hold it cannot be used now, or does not answer.
  absl::StatusOr<FoundVolume> Find(std::string_view volume_id);
  /// Waits for a look at each pool, at most kLookPatience.
  void LookAtAll();
  /// Until every pool is open or elsewhere, at most so long.
  void WaitForAll(std::chrono::milliseconds limit);
  /// The plugin ends: whoever waits for a look or a server is answered
  /// Unavailable at once, now and later.
  void Interrupt();

  [[nodiscard]] const std::vector<std::shared_ptr<Pool>>& all() const {
    return pools_;
  }

 private:
  using Clock = PoolWatch::Clock;

  absl::StatusOr<FoundVolume> FindInAny(const csi::VolumeId& id);

  std::vector<std::shared_ptr<Pool>> pools_;
  std::vector<std::unique_ptr<PoolWatch>> watches_;  // of pools_, in its order
};

}  // namespace famfs::node
