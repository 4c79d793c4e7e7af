// Files of extents whose memory nobody can give back.
//
// A program that maps a passed-through file may hand its pages back to the
// machine (madvise with MADV_REMOVE): the volume loses what stood there,
// another one takes the room, and who touches it later finds none. The
// immutable flag of the file's inode forbids that and nothing else that is done
// through descriptors and mappings: stores, reads and writes go on.
//
// A file has the flag from when it is served until nobody has it open for
// writing or mapped for storing any more, on the whole machine: a mapping keeps
// the file, not the descriptor that it was made of. Nobody tells when the last
// one goes. But the kernel gives a read lease (fcntl, F_SETLEASE) only for a
// file that nobody can store to, so whoever ended serving asks for one until it
// is given, and takes the flag off then. It is given back at once. Several
// servers may serve one file: whoever comes last takes the flag off.
//
// The flag also forbids opening for writing, unlinking and filling holes. To
// open and to fill, it is replaced by the append-only flag for the moment,
// which forbids giving memory back as well, so that there is no moment without
// either. All changes of the flags are made under a flock on the file, which
// only who may read it can take. What a killed process leaves, of either flag,
// is put right by the next one of these calls.
//
// It takes Linux 6.6 (tmpfs) and CAP_LINUX_IMMUTABLE. Where the flag cannot be
// set the file is served without it, and one warning says so; where it cannot
// be taken off: PermissionDenied, which says what to do. A lease takes that the
// caller owns the file (or CAP_LEASE) and that fs.leases-enable is not 0; where
// none can be had the flag stays, and one warning says so.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

/// Opens the file at the path in the way that the caller needs it, and with
/// `more_flags` of open(2) (0 or O_APPEND).
using PinnedOpener = std::function<absl::StatusOr<UniqueFd>(int more_flags)>;
/// What is done with the descriptor.
using PinnedUser = std::function<absl::Status(int fd)>;

/// Opens for writing and pins. Unpin afterwards, again and again.
absl::StatusOr<UniqueFd> OpenAndPin(const std::string& path,
                                    const PinnedOpener& open);
/// Opens for writing; a pin that is needed stays. `use` is for what has to be
/// done before another process can change the flags: mmap(2).
absl::StatusOr<UniqueFd> OpenDespitePin(const std::string& path,
                                        const PinnedOpener& open,
                                        const PinnedUser& use = nullptr);
/// Opens for writing and calls `fill` while holes can be filled; a pin that is
/// needed stays. Whoever opens the file meanwhile may have to wait.
[[nodiscard]] absl::Status FillDespitePin(const std::string& path,
                                          const PinnedOpener& open,
                                          const PinnedUser& fill);
/// unlink(2), whoever has the file open. NotFound when there is no such file.
[[nodiscard]] absl::Status RemoveDespitePin(const std::string& path);
/// Whether the file has either flag.
absl::StatusOr<bool> IsPinned(const std::string& path);
/// Takes the pin off unless somebody needs it. Whether none is left, also where
/// there is no file; false: ask again later. Does not wait.
absl::StatusOr<bool> Unpin(const std::string& path);

}  // namespace famfs
