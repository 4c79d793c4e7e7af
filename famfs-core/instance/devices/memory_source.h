// Where the devices of an instance get their memory, and how much of what is
// free on them can be had there at the moment.
//
// Devices that share a file system share what it can give. One that cannot back
// all that is free on its devices is a source of its own, and no file lies on
// several sources: so what a source can give is known without trying. All other
// devices make one source without a limit.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "alloc/placement.h"
#include "base/status.h"
#include "dax/device.h"

namespace famfs {

struct MemorySource {
  static constexpr std::uint64_t kAll =
      std::numeric_limits<std::uint64_t>::max();

  std::vector<bool> devices;  // by index: whose source it is
  std::uint64_t left = kAll;  // bytes; kAll: of all that is free on them
  absl::Status lost;          // not OK: out of reach, and nothing is left
};

/// What a device said of its memory, and how much of the device was taken then.
struct BackingAnswer {
  bool asked = false;       // false: it was missing
  std::uint64_t taken = 0;  // bytes
  absl::StatusOr<std::optional<Backing>> backing = std::optional<Backing>{};
};
/// Asks each device (null: missing); `taken` by index. Waits for their file
/// systems, which may never answer: not under a lock.
std::vector<BackingAnswer> AskBackings(
    std::span<const std::shared_ptr<DaxDevice>> devices,
    std::span<const std::uint64_t> taken);
/// Bytes of each allocator's device that are taken; null: 0.
std::vector<std::uint64_t> TakenOf(
    std::span<const ExtentAllocator* const> allocators);

/// The answers and the allocators by index, as these are now: what was taken
/// since the question is owed, too. At least one source; the first has no
/// limit, and may have no devices. A device that was not asked is of none.
std::vector<MemorySource> FindSources(
    std::span<const BackingAnswer> answers,
    std::span<const ExtentAllocator* const> allocators);

/// Of what is free on the devices, the bytes that there is no memory for.
std::uint64_t Unbacked(std::span<const MemorySource> sources,
                       std::span<const ExtentAllocator* const> allocators);

/// Place and RoomFor (alloc/placement.h), source by source, the one with the
/// most left first. Place: when one is out of reach and no other has room, why.
absl::StatusOr<Placement> PlaceBacked(
    std::span<const MemorySource> sources,
    std::span<ExtentAllocator* const> allocators,
    const PlacementRequest& request);
absl::StatusOr<Room> RoomBacked(std::span<const MemorySource> sources,
                                std::span<ExtentAllocator* const> allocators,
                                const PlacementRequest& request);

}  // namespace famfs
