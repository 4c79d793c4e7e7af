// The head of a secondary device: a superblock that says which instance the
// device belongs to and which of its devices it is (docs/format.md, "Secondary
// devices"). It fills the device's first allocation unit, which no file ever
// gets. Without it, a device is known by its tag alone.
#pragma once

#include "base/status.h"
#include "dax/device.h"
#include "media/format.h"

namespace famfs {

/// What stands at the beginning of a device.
struct DeviceHead {
  enum class Kind {
    kBlank,      // no superblock
    kPrimary,    // of an instance, also a damaged or foreign one
    kSecondary,  // of an instance, sound
  };
  Kind kind = Kind::kBlank;
  MediaSuperblock superblock;
};
/// Errors of reading the device only; a device without anything allocated at
/// its beginning is blank.
absl::StatusOr<DeviceHead> LoadDeviceHead(DaxDevice& device);

/// Whether every byte of the first unit is zero, or a WriteSecondaryHead that a
/// crash ended left it; and an emulated device has no extent but that unit.
absl::StatusOr<bool> IsBlankDevice(DaxDevice& device);

/// The superblock of a secondary device of the instance of `primary`.
MediaSuperblock MakeSecondarySuperblock(const MediaSuperblock& primary,
                                        const Uuid& device_uuid,
                                        const DaxDevice& device);

/// Makes the device empty (its extents are removed, emulated) and gives it this
/// head. The magic is stored last, in place of a mark by which IsBlankDevice
/// knows what a crash leaves.
[[nodiscard]] absl::Status WriteSecondaryHead(
    DaxDevice& device, const MediaSuperblock& superblock);

}  // namespace famfs
