// Files of extents whose memory nobody can give back.
//
// A program that maps a passed-through file may hand its pages back to the
// machine (madvise with MADV_REMOVE): the volume loses what stood there,
// another one takes the room, and who touches it later finds none. The
// immutable flag of the file's inode forbids that and nothing else that is done
// through descriptors and mappings: stores, reads and writes go on. So a file
// has the flag while it is served, which is while anybody holds an OFD read
// lock on it (the kernel's FUSE connection does, through the descriptor that
// became its backing file, as long as a pod has the file open; a mapping whose
// descriptor is closed is not seen). A
// file that nobody serves has no flag, so that it can be removed by anybody who
// owns it.
//
// The flag also forbids opening for writing and unlinking, so it is taken off
// for these moments, under a flock on the file, which only who may read it can
// take. What a killed process leaves is put right by the next one of these
// calls; ClearStalePin does nothing else.
//
// It takes Linux 6.6 (tmpfs) and CAP_LINUX_IMMUTABLE. Where the flag cannot be
// set the file is served without it, and one warning says so; where it cannot
// be taken off: PermissionDenied, which says what is needed.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

/// Opens the file at the path in the way that the caller needs it.
using PinnedOpener = std::function<absl::StatusOr<UniqueFd>()>;

/// Opens for writing and pins: the file is served as long as the descriptor, or
/// a copy of it, lives. ClearStalePin afterwards.
absl::StatusOr<UniqueFd> OpenAndPin(const std::string& path,
                                    const PinnedOpener& open);
/// Opens for writing; a pin that is there stays.
absl::StatusOr<UniqueFd> OpenDespitePin(const std::string& path,
                                        const PinnedOpener& open);
/// Calls `change`, which the flag would forbid; a pin that is there stays.
[[nodiscard]] absl::Status ChangeDespitePin(
    const std::string& path, const std::function<absl::Status()>& change);
/// unlink(2). NotFound when there is no such file.
[[nodiscard]] absl::Status RemoveDespitePin(const std::string& path);
/// Whether the file has the flag.
absl::StatusOr<bool> IsPinned(const std::string& path);
/// Takes the pin off if nobody serves the file any more; a missing file is OK.
[[nodiscard]] absl::Status ClearStalePin(const std::string& path);

}  // namespace famfs
