// What the parts of a Writer share, and the lock that guards it.
//
// One lock, because one step changes several of these things, or none: a
// creation takes slots of the log, a path, extents and promises at once; an
// append turns claimed extents into a file's and gives the claim up; a
// compaction rewrites the log, and what it drops is no longer scrubbed space
// but dying. Each thing is a class of its own that knows no lock.
//
// The order of the locks of this room, outermost first:
//
//   DeviceAdder::mutex_     one device is added at a time
//   one of these, never two:
//     Reclamation::mutex_   one scrub
//     Compactor::mutex_     one compaction, until its dead extents are removed
//     Admission::mutex_     one admission of devices
//   WriterState::mutex      all that stands below it
//
// DeviceSet's lock comes after them. Creating, zeroing and removing extents
// happens outside of WriterState::mutex, and so does whatever waits for a
// further device or a file system. A PendingFile's own lock is for its notes:
// no other one is taken under it.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/range.h"
#include "base/status.h"
#include "instance/deletion/host_table.h"
#include "instance/devices/device_set.h"
#include "instance/log/layout.h"
#include "instance/writer/claims.h"
#include "instance/writer/owned_log.h"
#include "instance/writer/promises.h"
#include "instance/writer/scrubbed_space.h"
#include "instance/writer/writer_lock.h"

namespace famfs {

struct WriterState {
  WriterState(std::shared_ptr<DeviceSet> all_devices,
              std::unique_ptr<Layout> opened, WriterLock locked,
              const ThisHost& host, OwnedLog owned);

  // Of what stands here nothing changes while the writer is open, but the bytes
  // that the layout maps.
  const std::shared_ptr<DeviceSet> devices;
  const std::shared_ptr<DaxDevice> device;  // the primary
  const std::unique_ptr<Layout> layout;
  const WriterLock lock;
  const ThisHost self;

  mutable SharedMutex mutex;
  OwnedLog log ABSL_GUARDED_BY(mutex);
  /// By index: there, reconciled, and so to be used.
  std::vector<std::shared_ptr<DaxDevice>> admitted ABSL_GUARDED_BY(mutex);
  Claims claims ABSL_GUARDED_BY(mutex);
  /// Both where hosts are waited for.
  Promises promises ABSL_GUARDED_BY(mutex);
  ScrubbedSpace scrubbed ABSL_GUARDED_BY(mutex);
  /// Extents of dropped volumes, not yet removed: still taken.
  std::vector<MediaExtent> dying ABSL_GUARDED_BY(mutex);
  /// Extents that are nobody's and still taken, for they cannot be removed.
  std::vector<MediaExtent> stuck ABSL_GUARDED_BY(mutex);
  /// Of the primary, kept free for a compaction's image.
  std::optional<Range> reserve ABSL_GUARDED_BY(mutex);

  /// Whether deleted space may be used again only when all hosts have let go.
  [[nodiscard]] bool WaitsForHosts() const {
    return !device->capabilities().removed_extents_live_on;
  }
  /// From whichever device has it.
  [[nodiscard]] absl::Status RemoveExtent(const MediaExtent& extent) const;

  // What takes several of the above to answer.
  /// Slots of the log that entries or claims have.
  [[nodiscard]] std::uint64_t UsedSlots() const
      ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    return log.entries() + claims.slots();
  }
  /// Whether none of a deleted volume's devices is missing.
  [[nodiscard]] bool IsPresent(const PendingVolume& volume) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  /// Bytes of each device, by index.
  [[nodiscard]] std::vector<std::uint64_t> DeviceSizes() const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  /// By device index; null: nothing may be placed there.
  [[nodiscard]] std::vector<ExtentAllocator*> Allocators()
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  /// What is taken on a device and no entry of the log names.
  [[nodiscard]] std::vector<Range> UnnamedOn(std::uint64_t device_index) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  /// Directories of deleted volumes whose entries a compaction may drop.
  [[nodiscard]] absl::flat_hash_set<std::string> Released() const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  /// Whether a compaction would drop entries, or free extents.
  [[nodiscard]] bool CompactionHelps() const ABSL_SHARED_LOCKS_REQUIRED(mutex);

  /// Of an extent that is nobody's and still taken, and cannot be removed.
  void NoteStuck(const MediaExtent& extent, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  /// Takes the reserve, unless it is there or there is no room.
  void TakeReserve() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

}  // namespace famfs
