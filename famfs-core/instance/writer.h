// The owner of an instance: the only one that appends to its log.
//
// What an operation acknowledged survives a crash at any store; what it did not
// acknowledge is absent or complete; nothing half-made is visible (design §4).
// Open completes what a crash left: counters, a compaction under way, slots
// beyond the end, extent files that no entry names.
//
// Thread-safe. Zeroing and allocating an extent's pages happens outside of the
// lock, so two creations do not wait for each other's memory.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/layout.h"
#include "instance/log_player.h"
#include "instance/reader.h"
#include "instance/writer_lock.h"

namespace famfs {

struct WriterOptions {
  Uuid system_uuid;  // must be the superblock's owner
  std::string lock_directory = "/run/famfs";
};

/// What could be created now, in bytes; exact.
struct Capacity {
  std::uint64_t total = 0;    // the device
  std::uint64_t free = 0;     // sum of what volumes could still take
  std::uint64_t largest = 0;  // largest single volume
};

/// A path with its extent, reserved and zero, not yet in the log. Fill it, then
/// Commit; destroyed without, its space comes back.
class PendingFile {
 public:
  virtual ~PendingFile() = default;
  [[nodiscard]] virtual Mapping& mapping() = 0;  // whole extent, >= size
  [[nodiscard]] virtual absl::Status Commit() = 0;
};

class Writer {
 public:
  /// PermissionDenied when another host owns the instance (says whose), else
  /// Unavailable when another process writes it, DataLoss when the log is broken.
  static absl::StatusOr<std::unique_ptr<Writer>> Open(
      std::shared_ptr<DaxDevice> device, const WriterOptions& options);
  ~Writer();

  [[nodiscard]] Reader::View Tree() const;
  [[nodiscard]] const MediaSuperblock& superblock() const;
  [[nodiscard]] std::shared_ptr<DaxDevice> device() const { return device_; }
  [[nodiscard]] PoolFigures Figures() const;

  /// Capacity for contiguous volumes; compacts first when that frees space.
  absl::StatusOr<Capacity> GetCapacity();

  // Made by hand. A path that was ever used and is in the log is AlreadyExists,
  // also when its volume is deleted; a missing parent is NotFound; a bad path
  // InvalidArgument; a full log or device ResourceExhausted. Nothing may be made
  // inside a volume (PermissionDenied).
  [[nodiscard]] absl::Status Mkdir(std::string_view path, Ownership owner);
  /// A file of zeros.
  [[nodiscard]] absl::Status CreateFile(std::string_view path,
                                        std::uint64_t size, Ownership owner);
  absl::StatusOr<std::unique_ptr<PendingFile>> BeginFile(std::string_view path,
                                                         std::uint64_t size,
                                                         Ownership owner);

  /// Appends the volume's mkdir (with `attributes`) and, for layout kFile, its
  /// file `data` of attributes.capacity bytes, published by one store.
  /// `directory` is new, one component. The file takes the directory's owner and
  /// its mode without the execute bits. AlreadyExists when a live volume has the
  /// CSI name or the path was used.
  [[nodiscard]] absl::Status CreateVolume(const std::string& directory,
                                          const VolumeAttributes& attributes,
                                          Ownership owner);
  /// Appends the deletion; the volume is gone from every list when it returns.
  /// NotFound when there is no such live volume. Its space comes back with the
  /// next compaction (emulated) or stays pending (elsewhere).
  [[nodiscard]] absl::Status DeleteVolume(const std::string& directory);

  /// Drops dead entries and old revisions, then frees (emulated) the extents.
  /// Nothing to drop: OK.
  [[nodiscard]] absl::Status Compact();

 private:
  class PendingFileImpl;
  Writer(std::shared_ptr<DaxDevice> device, Layout layout, WriterLock lock);

  std::shared_ptr<DaxDevice> device_;
  Layout layout_;
  WriterLock lock_;
  mutable std::shared_mutex mutex_;
  std::unique_ptr<LogPlayer> player_;
  StateRecord state_;
  CompactionRecord compaction_;
  std::optional<Range> reserve_;  // kept free for a compaction's image
};

}  // namespace famfs
