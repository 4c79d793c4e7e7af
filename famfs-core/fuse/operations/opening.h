// Opening a file: which checks come first, which data path it gets.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <memory>

#include "fuse/operations/ops.h"

namespace famfs {

inline bool ForWriting(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

/// 0 with the open file, or the errno; nothing stays open then. What is opened
/// is given back by CloseNode with the same flags. O_TRUNC is checked, not
/// done.
int OpenNode(Service& service, fuse_ino_t id, int flags,
             std::shared_ptr<OpenInode>& opened);
void CloseNode(Service& service, fuse_ino_t id, int flags);
/// What a handle is called: FLUSH tells no flags, so this says whether it may
/// write. What else a handle needs is kept by node id.
inline std::uint64_t HandleOf(int flags) { return ForWriting(flags) ? 1 : 0; }
/// The flags of the reply to an open.
std::uint32_t ReplyFlags(const Service& service, const OpenInode& file,
                         int flags);

}  // namespace famfs
