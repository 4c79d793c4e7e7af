// A device that is being made, or that a process left so when it ended: its
// first bytes are a mark where a superblock has its magic, and whatever else is
// on it is nobody's, unless that process still runs (ClaimToMake).
#pragma once

#include <cstdint>

#include "base/status.h"
#include "dax/device.h"
#include "dax/use_mark.h"
#include "media/format.h"

namespace famfs {

/// The superblock and our region: on an emulated device, an extent of its own.
inline constexpr Range kHead{kSuperblockOffset, kSuperblockRegion};

inline constexpr std::uint64_t kUnfinishedMagic = 0x676e696464614d46;

/// For who makes an instance there, before it looks at what is on the device:
/// what another process that makes one has marked is not nobody's. Held to the
/// end. Unavailable when another process has it.
absl::StatusOr<UseMark> ClaimToMake(DaxDevice& device);

/// Empties the device: the mark and, but for that, a first unit of zeros.
/// Emulated: other extents and all node files are removed. Elsewhere what lies
/// behind stays as it was.
[[nodiscard]] absl::Status MarkUnfinished(DaxDevice& device);
absl::StatusOr<bool> IsMarkedUnfinished(DaxDevice& device);

/// Whether nobody loses a file when an instance is made there: the mark, or no
/// superblock and, on an emulated device, no node files and no extents but
/// those that mkfs begins with. What stands on another device cannot be known,
/// only that it is no famfs.
absl::StatusOr<bool> IsNobodys(DaxDevice& device);

}  // namespace famfs
