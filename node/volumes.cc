#include "node/volumes.h"

#include <algorithm>
#include <utility>

namespace famfs::node {

Volumes::Volumes(const std::vector<csi::PoolSection>& pools,
                 const PoolSettings& settings, const Pool::Serving& serving) {
  for (const csi::PoolSection& section : pools) {
    pools_.push_back(std::make_unique<Pool>(section, settings, serving));
  }
}

std::size_t Volumes::open_pools() const {
  return static_cast<std::size_t>(
      std::count_if(pools_.begin(), pools_.end(),
                    [](const auto& pool) { return pool->IsOpen(); }));
}

namespace {

bool IsClosed(const std::unique_ptr<Pool>& pool) {
  return !pool->IsOpen() && !pool->IsElsewhere();
}

}  // namespace

std::size_t Volumes::closed_pools() const {
  return static_cast<std::size_t>(
      std::count_if(pools_.begin(), pools_.end(), IsClosed));
}

absl::Status Volumes::CheckAllOpen() const {
  std::vector<std::string> closed;
  for (const auto& pool : pools_) {
    if (IsClosed(pool)) closed.push_back(pool->name());
  }
  if (closed.empty()) return absl::OkStatus();
  return Unavailable("pools that are not open on this node: {}",
                     fmt::join(closed, ", "));
}

absl::StatusOr<FoundVolume> Volumes::Find(std::string_view volume_id) {
  const auto id = csi::ParseVolumeId(volume_id);
  if (!id.ok()) {
    return NotFound("no volume of this driver: {}", Message(id.status()));
  }
  absl::Status closed;
  for (const auto& pool : pools_) {
    const absl::Status opened = pool->Open();
    const std::optional<Uuid> fs_uuid = pool->fs_uuid();
    if (!opened.ok()) {
      closed = opened;
    } else if (!fs_uuid.has_value()) {
      closed = Unavailable("pool {} is being opened; call again", pool->name());
    } else if (id->BelongsTo(*fs_uuid)) {
      FAMFS_ASSIGN_OR_RETURN(Volume volume, pool->Find(*id));
      return FoundVolume{pool.get(), std::move(volume)};
    }
  }
  // It may lie in a pool that we cannot see into.
  if (!closed.ok()) return closed;
  return NotFound("volume {} lies in no pool of this node's configuration",
                  id->ToString());
}

}  // namespace famfs::node
