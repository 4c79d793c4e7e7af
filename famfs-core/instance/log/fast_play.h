// Plays a whole log at once, some three times faster than an entry at a time
// and by the same rules, all of them: what LogPlayer::Apply would take, this
// takes, with the same result. What it would not take is not judged here: the
// caller then plays entry by entry, and tells what that finds. Nor does it take
// a log with tree volumes, whose entries depend on each other's order.
//
// Two stages. The first needs nothing but an entry's bytes: it invalidates the
// lines, copies the entry, checks its checksum and the rules on it alone, and
// hashes its paths. The second knows the tree. They pass batches to each other:
// the first runs ahead on a thread of its own when the log is long and there is
// a second processor, else in turns with the second. Where a batch's nodes will
// stand in the hash tables is loaded ahead. Extents are collected, and taken
// all at once at the end: only there an overlap shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dax/device.h"
#include "instance/log/log_player.h"

namespace famfs {

/// Below so many entries playing them one by one is as good.
inline constexpr std::uint64_t kFastPlayFrom = 512;

enum class PlayThreads { kAsNeeded, kOne };

/// A player that took the entries [0, entries) of `log`, which begins at the
/// log's header and holds them all. Null: one of them breaks a rule, or could
/// not be seen whole; play them one by one to know which. Each entry is copied
/// before it is judged, so another host may write meanwhile.
[[nodiscard]] std::unique_ptr<LogPlayer> PlayFast(
    const MediaSuperblock& superblock, std::uint64_t device_size,
    const Mapping& log, std::uint64_t entries,
    PlayThreads threads = PlayThreads::kAsNeeded);
/// The same of bytes that nobody else writes.
[[nodiscard]] std::unique_ptr<LogPlayer> PlayFast(
    const MediaSuperblock& superblock, std::uint64_t device_size,
    std::span<const std::byte> log, std::uint64_t entries,
    PlayThreads threads = PlayThreads::kAsNeeded);

}  // namespace famfs
