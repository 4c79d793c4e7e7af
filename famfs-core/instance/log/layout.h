// The fixed part of an instance on a device: superblock, our region, log
// header, log. One opened Layout holds the two mappings that Reader, Writer,
// fsck and the tools share.
#pragma once

#include <memory>
#include <optional>

#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/identity.h"
#include "media/format.h"
#include "media/region.h"
#include "media/region_tables.h"

namespace famfs {

class Layout {
 public:
  /// Maps both and checks the superblock (not the log). FailedPrecondition "no
  /// famfs" on a blank device.
  static absl::StatusOr<Layout> Open(DaxDevice& device, Access access);
  /// For reading, also with a damaged superblock (`broken` says which rule it
  /// breaks; OK: none) as long as it, or else the log's own header, tells how
  /// long the log is.
  static absl::StatusOr<Layout> OpenDamaged(DaxDevice& device,
                                            absl::Status& broken);

  [[nodiscard]] const MediaSuperblock& superblock() const { return super_; }
  [[nodiscard]] std::uint64_t data_start() const;  // bytes
  /// Bytes of device 0: the smaller of the device's and the superblock's.
  [[nodiscard]] std::uint64_t device_size() const { return device_size_; }

  /// Whether the device still holds this instance.
  [[nodiscard]] const DeviceIdentity& identity() const { return identity_; }

  Mapping& head() { return *head_; }  // [0, 2 MiB): superblock and our region
  Mapping& log() { return *log_; }    // [2 MiB, 2 MiB + log_length)
  [[nodiscard]] const Mapping& head() const { return *head_; }
  [[nodiscard]] const Mapping& log() const { return *log_; }

  /// Mapping::Check of both: whether what was loaded from them, and stored,
  /// can be relied on.
  [[nodiscard]] absl::Status Check() const;
  /// Mapping::Renew of both.
  [[nodiscard]] absl::Status Renew();

  // Each load invalidates the lines that it reads first. Those that have a
  // status check the memory, too.
  [[nodiscard]] MediaLogHeader LoadLogHeader() const;
  [[nodiscard]] MediaEntry LoadEntry(std::uint64_t index) const;
  [[nodiscard]] absl::StatusOr<std::optional<StateRecord>> LoadState() const;
  [[nodiscard]] absl::StatusOr<std::optional<CompactionRecord>> LoadCompaction()
      const;
  [[nodiscard]] absl::StatusOr<std::optional<OwnerRecord>> LoadOwner() const;

 private:
  [[nodiscard]] absl::Status MapHead(DaxDevice& device, Access access);
  [[nodiscard]] absl::Status MapLog(DaxDevice& device, Access access);

  MediaSuperblock super_;
  std::uint64_t device_size_ = 0;
  std::unique_ptr<Mapping> head_;
  std::unique_ptr<Mapping> log_;
  DeviceIdentity identity_;
};

/// What a log header that is whole says of its own length, in bytes; 0: there
/// is none, so there never was a famfs, or it is gone.
std::uint64_t LogLengthByItsHeader(DaxDevice& device);

}  // namespace famfs
