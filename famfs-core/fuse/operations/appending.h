// Appending to files of tree volumes that other hosts may append to, too
// (files/append_rights.h): where the bytes of an append go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {

/// Of an append: what comes next.
enum class AppendTurn {
  kHere,    // the file is this host's alone: AppendBytes
  kSettle,  // the owner is to hear first what was stored behind the end
  kAsk,     // AskToAppend
};
/// Looks at the log first; `place` is as of then.
AppendTurn FindTurn(Service& service, OpenInode& file, PlaceOfOpen& place);

/// Where an append goes: behind all that is known. `at` is where the kernel
/// puts it; where several parts of one write may come at once (O_DIRECT), that
/// counts as long as nothing of other hosts can lie there.
std::uint64_t PlaceOfAppend(const PlaceOfOpen& place, std::uint64_t at,
                            bool in_parts);

/// Stores there; nullopt when the file is this host's alone no longer, or there
/// is no room: look again. `at` becomes the place.
std::optional<FileMemory::Done> AppendBytes(Service& service, OpenInode& file,
                                            std::span<const std::byte> bytes,
                                            std::uint64_t& at, bool in_parts);

/// An answer: an errno, or 0 with the place of the bytes; nullopt: look again,
/// the file is this host's alone, perhaps.
using AppendThen =
    std::function<void(int error, std::optional<std::uint64_t> offset)>;
/// `request` as in Asking::Ask. EOPNOTSUPP: the owner knows no such request.
void AskToAppend(fuse_req_t request, std::shared_ptr<OpenInode> file,
                 const PlaceOfOpen& place, std::uint64_t bytes,
                 AppendThen then);

/// A node of a tree volume was revised: it may be told to stop.
void LookAtAppends(Service& service, NodeId node);
/// The file's last handle that could write is closed.
void EndAppends(Service& service, OpenInode& file);
/// What has not been told yet. From time to time.
void LeaveAppends(Service& service);

}  // namespace famfs
