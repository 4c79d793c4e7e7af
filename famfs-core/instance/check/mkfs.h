// Makes an instance on a device: superblock, empty log, our region.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/uuid.h"
#include "dax/device.h"
#include "instance/deletion/host_table.h"
#include "media/format.h"

namespace famfs {

struct MkfsOptions {
  /// Bytes, a power of two, >= 8 MiB; absent: DefaultLogLength of the device
  /// and `further_bytes`.
  std::optional<std::uint64_t> log_length;
  /// Of devices that will be added, as far as they are known; for the log.
  std::uint64_t further_bytes = 0;
  std::optional<Uuid> fs_uuid;      // absent: random
  std::optional<Uuid> device_uuid;  // absent: the tag, else random
  Uuid system_uuid;                 // the owner
  /// Informational, in the superblock; absent: the device's spec. <= 63 bytes
  /// are kept.
  std::optional<std::string> device_name;
  /// Replace an instance that is there, also a foreign one. Its extents are
  /// removed (emulated) or left dirty (elsewhere).
  bool force = false;
  /// With force, also while others use the device (instance/deletion/in_use.h),
  /// whatever is on it: their mounts and controllers end for good.
  bool force_in_use = false;
  /// Who looks, for telling this host's dead server sessions from living ones.
  ThisHost self{};
  std::string lock_directory = "/run/famfs";
  /// The caller has called ClaimToMake (instance/devices/unfinished.h).
  bool claimed = false;
};

/// OutOfRange for a device below 4 GiB; InvalidArgument for a bad log length;
/// AlreadyExists for a device with a superblock (of any version), without
/// force; Unavailable while a writer has it open, or another process makes one;
/// FailedPrecondition while somebody else uses the device, with force and
/// without force_in_use; InvalidArgument for the uuid of the instance that is
/// there: its servers would take the new one for it. Also AlreadyExists,
/// without force: an emulated device without a superblock that has extents of
/// data. The superblock's magic is written last; until then the device counts
/// as blank.
[[nodiscard]] absl::Status Mkfs(DaxDevice& device, const MkfsOptions& options);

}  // namespace famfs
