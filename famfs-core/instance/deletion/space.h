// What becomes of deleted and promised space, told from the log and the
// region's tables: for the figures of Reader and Writer.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "instance/deletion/clean_ranges.h"
#include "instance/deletion/figures.h"
#include "instance/deletion/host_table.h"
#include "instance/deletion/reservations.h"
#include "instance/log/log_player.h"

namespace famfs {

bool Overlap(const MediaExtent& a, const MediaExtent& b);

/// Device index and offset of each of some extents.
using ExtentPlaces =
    absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>>;

/// The number up to which a host that had let go of all up to `done` may
/// acknowledge by now: of these deletions, all above that, what is in `open`
/// holds its own and the later ones. `open` is looked at after `deletions`.
std::uint64_t LetGoUpTo(std::uint64_t done,
                        std::span<const PendingVolume> deletions,
                        const ExtentPlaces& open);

/// Rows that are not closed, with what waits for them.
std::vector<HostStatus> JudgeHosts(const std::vector<HostRow>& rows,
                                   const ThisHost& self,
                                   const PendingVolumes& pending);

/// `lost`: reservations of epochs that are over. `let_go`: LetGoByAll.
DeletedState JudgeVolume(const PendingVolume& volume, std::uint64_t let_go,
                         const CleanRanges& clean,
                         std::span<const Reservation> lost);
/// Fills in `quarantined`, `releasable` and `waiting_hosts` of the pending
/// volumes.
void JudgePending(const std::vector<HostRow>& rows, const ThisHost& self,
                  const PendingVolumes& pending, const CleanRanges& clean,
                  std::span<const Reservation> lost, PoolFigures& figures);

/// Whether a deleted volume waits for hosts or for a lost epoch's end.
bool IsQuarantined(const PendingVolume& volume, std::uint64_t let_go,
                   std::span<const Reservation> lost);

}  // namespace famfs
