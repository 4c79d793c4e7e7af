// What becomes of deleted and promised space, told from the log and the
// region's tables: for the figures of Reader and Writer.
#pragma once

#include <span>
#include <vector>

#include "instance/deletion/clean_ranges.h"
#include "instance/deletion/figures.h"
#include "instance/deletion/host_table.h"
#include "instance/deletion/reservations.h"
#include "instance/log/log_player.h"

namespace famfs {

bool Overlap(const MediaExtent& a, const MediaExtent& b);

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
