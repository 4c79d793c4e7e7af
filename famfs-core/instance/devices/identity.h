// Whether what stands on a device now is still the instance that was opened.
//
// A device can be made anew under whoever has it open: by mkfs, by a directory
// or an image file that is removed and made again, by another tenant of the
// memory. Then everything that was learnt from it is another file system's, and
// nothing may be read or stored by it any more. So the one who opened it looks
// again, in each pass and before what it stores, and ends for good when it was
// replaced: opening again is the only way on.
#pragma once

#include "base/status.h"
#include "base/uuid.h"
#include "dax/device.h"

namespace famfs {

/// FailedPrecondition that IsReplaced knows, also after Annotate. `what`: what
/// stands there instead.
[[nodiscard]] absl::Status ReplacedError(const std::string& spec,
                                         const Uuid& fs_uuid,
                                         std::string_view what);
[[nodiscard]] bool IsReplaced(const absl::Status& status);

/// One cache line: whether the superblock, or the head of a secondary device,
/// that stands at the beginning of `head` is of this famfs. Missing memory
/// shows none.
[[nodiscard]] bool BearsSuperblockOf(const Mapping& head, const Uuid& fs_uuid);

/// An instance's device and the medium behind it, as they were when it was
/// opened. Thread-safe.
class DeviceIdentity {
 public:
  DeviceIdentity() = default;
  /// `head`: a mapping of the superblock region, which outlives this; the
  /// device need not. `fs_uuid`: as its superblock says now.
  static absl::StatusOr<DeviceIdentity> Of(const DaxDevice& device,
                                           const Mapping& head,
                                           const Uuid& fs_uuid);

  /// One cache line: IsReplaced when the superblock is another's, or is being
  /// made anew; DataLoss when it is damaged.
  [[nodiscard]] absl::Status CheckSuperblock() const;
  /// The same, and that the device's path still leads to the medium that is
  /// mapped; Unavailable while it leads nowhere. A system call.
  [[nodiscard]] absl::Status Check() const;

 private:
  std::string spec_;
  DaxDevice::MediumProbe probe_;
  const Mapping* head_ = nullptr;
  Uuid fs_uuid_;
  DaxDevice::Medium medium_;
};

}  // namespace famfs
