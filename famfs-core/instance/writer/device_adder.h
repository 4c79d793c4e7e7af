// Adds a device to the instance: what it may hold, its secondary superblock,
// its entry in the log.
//
// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/secondary.h"
#include "instance/writer/admission.h"
#include "instance/writer/compactor.h"
#include "instance/writer/writer_options.h"
#include "instance/writer/writer_state.h"

namespace famfs {

class DeviceAdder {
 public:
  /// `lock_directory`: where the writers of other instances have their locks.
  DeviceAdder(WriterState& state, Admission& admission, Compactor& compactor,
              std::string lock_directory)
      : state_(state),
        admission_(admission),
        compactor_(compactor),
        lock_directory_(std::move(lock_directory)) {}

  /// Writer::AddDevice.
  absl::Status Add(const std::shared_ptr<DaxDevice>& device,
                   const AddDeviceOptions& options);

 private:
  absl::Status TryAdd(const std::shared_ptr<DaxDevice>& device,
                      const AddDeviceOptions& options);
  absl::StatusOr<MediaAddDaxdev> CheckNewDevice(
      const DaxDevice& device, const DeviceHead& head,
      const AddDeviceOptions& options) const;
  absl::Status CheckContents(DaxDevice& device, const DeviceHead& head,
                             const AddDeviceOptions& options) const;
  /// A slot of the log that nobody else takes until the claim is removed.
  absl::Status ClaimSlot();

  WriterState& state_;
  Admission& admission_;
  Compactor& compactor_;
  const std::string lock_directory_;
  // One device is added at a time; guards no member.
  Mutex mutex_ ABSL_ACQUIRED_BEFORE(state_.mutex);
};

}  // namespace famfs
