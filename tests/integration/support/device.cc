#include "tests/integration/support/device.h"

#include <sys/stat.h>

#include "dax/emulated.h"
#include "instance/check/mkfs.h"

namespace famfs::rig {

absl::StatusOr<Device> Device::Create(const std::string& directory,
                                      const DeviceOptions& options) {
  Device device;
  device.directory_ = directory;
  device.lock_directory_ = options.lock_directory.empty()
                               ? directory + ".locks"
                               : options.lock_directory;
  device.fs_uuid_ = Uuid::Random();
  device.system_uuid_ = Uuid::Random();
  if (::mkdir(device.lock_directory_.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoError(errno, device.lock_directory_);
  }
  EmulatedConfig config;
  config.size = options.size;
  config.tag = Uuid::Random();
  config.sparse = options.sparse;
  FAMFS_RETURN_IF_ERROR(CreateEmulatedDevice(directory, config));
  FAMFS_ASSIGN_OR_RETURN(auto opened, device.Open(Access::kReadWrite));
  MkfsOptions mkfs;
  mkfs.fs_uuid = device.fs_uuid_;
  mkfs.system_uuid = device.system_uuid_;
  mkfs.lock_directory = device.lock_directory_;
  if (options.log_length != 0) mkfs.log_length = options.log_length;
  FAMFS_RETURN_IF_ERROR(Mkfs(*opened, mkfs));
  return device;
}

absl::StatusOr<std::unique_ptr<DaxDevice>> Device::Open(Access access) const {
  return OpenDevice(spec(), access);
}

}  // namespace famfs::rig
