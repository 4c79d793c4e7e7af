// devdax: a dax device of the kernel's (/dev/dax0.0), mapped shared. Its memory
// may be shared with other hosts, and goes past this one's caches by write-back
// and invalidation alone.
//
// There is no read(2), write(2) or fsync(2) of such a device, its node has no
// size, and the kernel maps whole units of its alignment (4 KiB, 2 MiB or
// 1 GiB) alone: Map maps all units that a range touches, and hands out the
// range. A mapping beyond the device's end would succeed and kill at the first
// touch, so each range is compared with the size that sysfs shows at the time.
//
// The kernel takes the device from who has mapped it, without asking: by
// another mode, another owner of the memory, or a failed page. What is touched
// then is missing (dax/missing_memory.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "dax/dax_bus.h"
#include "dax/device.h"

namespace famfs {

/// What a device opened for mapping is made of.
struct DevdaxMemory {
  /// What is there now; both are what they were, or the memory is another's.
  struct Now {
    DaxDevice::Medium medium;
    std::uint64_t size = 0;  // bytes
  };

  std::string spec;         // how it was named
  std::string name;         // for messages
  UniqueFd fd;              // opened as `access` says
  std::uint64_t align = 0;  // bytes: a power of two, at least a page
  Uuid tag{};
  Access access = Access::kRead;
  /// NotFound when it is gone, Unavailable when it has another mode.
  /// From any thread; may outlive the device.
  std::function<absl::StatusOr<Now>()> look;
  /// Another descriptor of the same memory; may outlive the device.
  std::function<absl::StatusOr<UniqueFd>(Access)> open;
};
/// The error is that of the first look.
absl::StatusOr<std::unique_ptr<DaxDevice>> AdoptDevdax(DevdaxMemory memory);

/// By the path of its node, whatever that is called. NotFound, InvalidArgument
/// for what is no dax device, and as CheckMappable.
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenDevdax(
    const std::string& path, Access access,
    const DaxSystem& system = DaxSystem::Real());

/// By its tag, under whichever name it is on this host. NotFound says which
/// devices there are; Unavailable when several have it.
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenTagged(
    const Uuid& tag, Access access,
    const DaxSystem& system = DaxSystem::Real());

/// What a superblock says of the device that it is on.
struct DaxSuperblock {
  Uuid fs_uuid;
  Uuid device_uuid;
};
/// Nothing where there is none, a damaged one, or one that cannot be read.
std::optional<DaxSuperblock> SuperblockOn(const DaxSystem& system,
                                          const DaxRecord& record);
/// Gives a device without a tag the device uuid of its superblock.
void AddSuperblockTag(const DaxSystem& system, DaxRecord& record);

}  // namespace famfs
