#include "instance/deletion/space.h"

#include <algorithm>

namespace famfs {
namespace {

HostStanding StandingOf(const HostRow& row, const ThisHost& self,
                        std::uint64_t newest) {
  if (row.damaged) return HostStanding::kDamaged;
  if (row.record.state == HostState::kEvicted) return HostStanding::kEvicted;
  if (!IsWaitedFor(row, self)) return HostStanding::kStaleBoot;
  return row.record.acknowledged >= newest ? HostStanding::kAcknowledged
                                           : HostStanding::kBehind;
}

}  // namespace

std::uint64_t LetGoUpTo(std::uint64_t done,
                        std::span<const PendingVolume> deletions,
                        const ExtentPlaces& open) {
  std::uint64_t newest = done;
  std::uint64_t held = ~std::uint64_t{0};
  for (const PendingVolume& volume : deletions) {
    newest = std::max(newest, volume.deletion_number);
    const bool is_held = std::any_of(
        volume.extents.begin(), volume.extents.end(),
        [&](const MediaExtent& extent) {
          return open.contains(std::pair(extent.device_index, extent.offset));
        });
    if (is_held) held = std::min(held, volume.deletion_number);
  }
  return std::min(newest, held - 1);
}

std::string_view ToString(DeletedState state) {
  switch (state) {
    case DeletedState::kQuarantined:
      return "quarantined";
    case DeletedState::kDirty:
      return "to be scrubbed";
    case DeletedState::kReleasable:
      break;
  }
  return "releasable";
}

bool Overlap(const MediaExtent& a, const MediaExtent& b) {
  return a.device_index == b.device_index && a.offset < b.offset + b.length &&
         b.offset < a.offset + a.length;
}

std::vector<HostStatus> JudgeHosts(const std::vector<HostRow>& rows,
                                   const ThisHost& self,
                                   const PendingVolumes& pending) {
  std::uint64_t newest = 0;
  for (const auto& [directory, volume] : pending) {
    newest = std::max(newest, volume.deletion_number);
  }
  std::vector<HostStatus> hosts;
  for (const HostRow& row : rows) {
    if (!row.damaged && row.record.state == HostState::kClosed) continue;
    HostStatus status{.host = row.record.host,
                      .boot = row.record.boot,
                      .session = row.record.session,
                      .standing = StandingOf(row, self, newest),
                      .acknowledged = row.record.acknowledged};
    for (const auto& [directory, volume] : pending) {
      if (IsWaitedFor(row, self) &&
          volume.deletion_number > status.acknowledged) {
        status.waiting_bytes += volume.bytes();
      }
    }
    hosts.push_back(status);
  }
  return hosts;
}

bool IsQuarantined(const PendingVolume& volume, std::uint64_t let_go,
                   std::span<const Reservation> lost) {
  if (volume.deletion_number > let_go) return true;
  return std::any_of(lost.begin(), lost.end(), [&](const Reservation& other) {
    return std::any_of(volume.extents.begin(), volume.extents.end(),
                       [&](const MediaExtent& extent) {
                         return Overlap(extent, other.record.extent);
                       });
  });
}

DeletedState JudgeVolume(const PendingVolume& volume, std::uint64_t let_go,
                         const CleanRanges& clean,
                         std::span<const Reservation> lost) {
  if (IsQuarantined(volume, let_go, lost)) return DeletedState::kQuarantined;
  const bool is_clean = std::all_of(
      volume.extents.begin(), volume.extents.end(),
      [&](const MediaExtent& extent) { return clean.Covers(extent); });
  return is_clean ? DeletedState::kReleasable : DeletedState::kDirty;
}

void JudgePending(const std::vector<HostRow>& rows, const ThisHost& self,
                  const PendingVolumes& pending, const CleanRanges& clean,
                  std::span<const Reservation> lost, PoolFigures& figures) {
  const std::uint64_t let_go = LetGoByAll(rows, self);
  for (const auto& [directory, volume] : pending) {
    const DeletedState state = JudgeVolume(volume, let_go, clean, lost);
    if (state == DeletedState::kQuarantined) {
      figures.quarantined += volume.bytes();
    } else if (state == DeletedState::kReleasable) {
      figures.releasable += volume.bytes();
    }
  }
  for (const HostStatus& host : JudgeHosts(rows, self, pending)) {
    if (host.waiting_bytes > 0) ++figures.waiting_hosts;
  }
}

}  // namespace famfs
