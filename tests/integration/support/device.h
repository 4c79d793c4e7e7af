// An emulated device with an empty famfs on it, as tests need one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/units.h"
#include "base/uuid.h"
#include "dax/device.h"

namespace famfs::rig {

struct DeviceOptions {
  std::uint64_t size = 8 * kGiB;  // bytes; memory is taken by extents alone
  bool sparse = false;
  std::uint64_t log_length = 0;  // bytes; 0: mkfs' default
  std::string lock_directory{};  // of the writer; default: beside the device
};

/// An emulated device in a directory that it makes (on a Tmpfs, say).
class Device {
 public:
  static absl::StatusOr<Device> Create(const std::string& directory,
                                       const DeviceOptions& options = {});

  [[nodiscard]] const std::string& directory() const { return directory_; }
  /// "emulated:DIR"
  [[nodiscard]] std::string spec() const { return "emulated:" + directory_; }
  [[nodiscard]] const Uuid& fs_uuid() const { return fs_uuid_; }
  /// The owner, as Writer::Open wants it.
  [[nodiscard]] const Uuid& system_uuid() const { return system_uuid_; }
  [[nodiscard]] const std::string& lock_directory() const {
    return lock_directory_;
  }
  absl::StatusOr<std::unique_ptr<DaxDevice>> Open(Access access) const;

 private:
  Device() = default;
  std::string directory_;
  std::string lock_directory_;
  Uuid fs_uuid_;
  Uuid system_uuid_;
};

}  // namespace famfs::rig
