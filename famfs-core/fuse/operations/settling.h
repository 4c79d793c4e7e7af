// Telling the owner what was stored: sizes and times (files/unsettled.h).
#pragma once

#include <functional>
#include <memory>

#include "fuse/operations/ops.h"

namespace famfs {

/// Calls `then` with 0 when the log says what is known here of the file, or
/// with the errno; at once when there is nothing to tell. A file that is gone
/// needs nothing. `request` as in Asking::Ask.
void Settle(Service& service, fuse_req_t request, NodeId node,
            std::function<void(int error)> then);
/// Stores through a mapping, as the node file's mtime tells them, count from
/// here on as what was stored.
void NoteMappedStores(Service& service, OpenInode& file);
/// How large an open file is, for when it has left the tree.
void RememberOpen(const Service& service, NodeId node);
/// Tells all that is known of all files, for at most so long: what ends with
/// this process.
void SettleAll(Service& service, Patience::Clock::time_point until);
/// What could not be told when its last handle was closed. From time to time.
void SettleLeftOvers(Service& service);
/// Of files that end behind what the log says: a server that died has stored
/// the rest, and told nobody. It counts from now on, and the owner is told. For
/// a server that begins, before it answers.
void TakeOverSizes(Service& service);
/// The pieces of open files as the log has them now: what was cut off is mapped
/// no longer. Before deletions are acknowledged.
void FollowPieces(Service& service);

}  // namespace famfs
