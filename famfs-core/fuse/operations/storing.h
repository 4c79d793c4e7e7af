// Storing into open files of tree volumes, which may make them longer: whatever
// lies between the old end and the new bytes is zeroed first, since it may hold
// what was there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {

/// Stores what fits into what is mapped, and notes how long the file is by now.
/// `place` as of a moment ago; there is room for the bytes, and what has to be
/// zeroed before them is not much (HasToGrowFirst).
FileMemory::Done StoreBytes(Service& service, OpenInode& file,
                            const PlaceOfOpen& place, std::uint64_t offset,
                            std::span<const std::byte> bytes);

/// Whether so much would have to be zeroed before bytes at `offset` that the
/// file is to be made so long first (GrowWithZeros), while others go on.
bool HasToGrowFirst(const OpenInode& file, const PlaceOfOpen& place,
                    std::uint64_t offset);

/// Makes the file at least so long, with zeros; there is room for it. Calls
/// `then` with 0 or the errno, at once where that is little. In any thread.
void GrowWithZeros(fuse_req_t request, std::shared_ptr<OpenInode> file,
                   std::uint64_t end, std::function<void(int error)> then);

}  // namespace famfs
