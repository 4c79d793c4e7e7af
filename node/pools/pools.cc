#include "node/pools/pools.h"

#include <algorithm>
#include <utility>

namespace famfs::node {
namespace {

bool IsClosed(const std::shared_ptr<Pool>& pool) {
  return !pool->IsOpen() && !pool->IsElsewhere();
}

bool Holds(const Pool& pool, const csi::VolumeId& id) {
  const std::optional<Uuid> fs_uuid = pool.fs_uuid();
  return fs_uuid.has_value() && id.BelongsTo(*fs_uuid);
}

absl::StatusOr<FoundVolume> FindIn(const std::shared_ptr<Pool>& pool,
                                   const csi::VolumeId& id) {
  FAMFS_ASSIGN_OR_RETURN(Volume volume, pool->Find(id));
  return FoundVolume{pool, std::move(volume)};
}

}  // namespace

Pools::Pools(const std::vector<csi::PoolSection>& sections,
             const PoolSettings& settings, const Pool::Serving& serving) {
  for (const csi::PoolSection& section : sections) {
    pools_.push_back(std::make_shared<Pool>(section, settings, serving));
  }
}

Pools::~Pools() {
  Interrupt();
  watches_.clear();
  for (const auto& pool : pools_) pool->Stop();
}

absl::Status Pools::Start() {
  for (const auto& pool : pools_) {
    FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<PoolWatch> watch,
                           PoolWatch::Start(pool->name(), [pool](bool asked) {
                             return pool->Look(asked);
                           }));
    watches_.push_back(std::move(watch));
  }
  LookAtAll();
  return absl::OkStatus();
}

void Pools::Interrupt() {
  for (const auto& watch : watches_) watch->Stop();
  for (const auto& pool : pools_) pool->Interrupt();
}

std::size_t Pools::open_pools() const {
  return static_cast<std::size_t>(
      std::count_if(pools_.begin(), pools_.end(),
                    [](const auto& pool) { return pool->IsOpen(); }));
}

std::size_t Pools::closed_pools() const {
  return static_cast<std::size_t>(
      std::count_if(pools_.begin(), pools_.end(), IsClosed));
}

absl::Status Pools::CheckAllOpen() const {
  std::vector<std::string> closed;
  for (const auto& pool : pools_) {
    if (!IsClosed(pool)) continue;
    closed.push_back(pool->name() +
                     (pool->Hangs() ? " (its device does not answer)" : ""));
  }
  if (closed.empty()) return absl::OkStatus();
  return Unavailable("pools that are not open on this node: {}",
                     fmt::join(closed, ", "));
}

bool Pools::MayHold(const Uuid& fs_uuid) const {
  bool known = true;
  for (const auto& pool : pools_) {
    const std::optional<Uuid> its = pool->fs_uuid();
    if (its == fs_uuid) return true;
    if (!its.has_value() && !pool->IsElsewhere()) known = false;
  }
  return !known &&
         std::none_of(pools_.begin(), pools_.end(), [&](const auto& pool) {
           return pool->WasReplaced(fs_uuid);
         });
}

void Pools::LookAtAll() {
  std::vector<PoolWatch::Ticket> tickets;
  for (const auto& watch : watches_) tickets.push_back(watch->Ask());
  const auto end = Clock::now() + kLookPatience;
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    IgnoreError(watches_[i]->Await(tickets[i], end), "the pool remembers it");
  }
}

void Pools::WaitForAll(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    watches_[i]->AwaitUntil([&] { return !IsClosed(pools_[i]); }, end);
  }
}

absl::StatusOr<FoundVolume> Pools::Find(std::string_view volume_id) {
  const auto id = csi::ParseVolumeId(volume_id);
  if (!id.ok()) {
    return NotFound("no volume of this driver: {}", Message(id.status()));
  }
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (!Holds(*pools_[i], *id)) continue;
    FAMFS_RETURN_IF_ERROR(
        watches_[i]->Await(watches_[i]->Ask(), Clock::now() + kLookPatience));
    // It may have been made anew.
    if (Holds(*pools_[i], *id)) return FindIn(pools_[i], *id);
  }
  return FindInAny(*id);
}

absl::StatusOr<FoundVolume> Pools::FindInAny(const csi::VolumeId& id) {
  std::vector<PoolWatch::Ticket> tickets;
  for (const auto& watch : watches_) tickets.push_back(watch->Ask());
  const auto end = Clock::now() + kLookPatience;
  absl::Status closed;
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    const absl::Status looked = watches_[i]->Await(tickets[i], end);
    if (Holds(*pools_[i], id) && looked.ok()) return FindIn(pools_[i], id);
    if (!looked.ok()) closed = looked;
  }
  // It may lie in a pool that we cannot see into.
  if (!closed.ok()) return closed;
  return NotFound("volume {} lies in no pool of this node's configuration",
                  id.ToString());
}

}  // namespace famfs::node
