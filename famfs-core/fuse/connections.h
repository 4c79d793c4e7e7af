// The FUSE connections of this machine, as the kernel's control file system
// (fusectl) shows them.
#pragma once

#include <cstdint>

namespace famfs {

/// Whether the connection `other` (the minor of its mount's device number) is
/// gone: no mount, no open file and no mapping is left of it. False when that
/// cannot be known, which includes that `own`, a connection that is there, is
/// not shown either.
bool FuseConnectionIsGone(std::uint32_t own, std::uint32_t other);

}  // namespace famfs
