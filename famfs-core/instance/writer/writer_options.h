// What a Writer and its AddDevice are told, and what it keeps in reserve.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/uuid.h"

namespace famfs {

/// Slots of the log that only state changes (deletions) may use, so that a full
/// log can still delete.
inline constexpr std::uint64_t kStateSlots = 64;

struct WriterOptions {
  Uuid system_uuid;  // must be the superblock's owner
  /// Empty: no lock. Then nothing excludes a second writer on this host either,
  /// and what two of them acknowledge may be lost; for when the orchestrator
  /// alone sees to it.
  std::string lock_directory = "/run/famfs";
  /// Become the owner if another host is. For when that host is dead or has
  /// lost the memory: if its writer is alive, it notices and stops at its next
  /// operation, but may have overwritten something by then.
  bool take_over = false;
  std::uint64_t boot = 0;  // of this host; 0: the machine's (LoadBoot)
};

struct AddDeviceOptions {
  /// Also a device that holds another famfs, or extents: they are lost.
  bool force = false;
  /// With force, also while others use the device (instance/deletion/in_use.h).
  bool force_in_use = false;
  /// Nothing but a device whose first unit is all zero, and which has no
  /// extents: for who adds it without a person looking on.
  bool only_blank = false;
  /// Of a device without a tag; absent: random.
  std::optional<Uuid> device_uuid = std::nullopt;
};

}  // namespace famfs
