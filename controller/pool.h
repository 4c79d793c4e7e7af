// The pools of the configuration, each an instance that this process writes.
//
// A pool opens when it is first needed. One that cannot be opened (device
// missing, another writer, damaged log) makes its own calls UNAVAILABLE, with
// what to do, and is tried again by the next call and in each reclaim interval;
// the others go on.
//
// An open pool can be lost: another writer takes it over, or its device is made
// anew. Each call and each look finds that out. Its writer is given up, and the
// pool opened again, as the instance that the device holds then; after a pause
// when it was overtaken (ReopenPause). What was open once is never made anew by
// the same process: a device that is blank then has lost its volumes, and that
// is for somebody to see.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "controller/configured_devices.h"
#include "controller/reclaimer.h"
#include "controller/reopen_pause.h"
#include "csi/config.h"
#include "dax/device.h"
#include "instance/writer.h"

namespace famfs::controller {

/// How often this process lost a pool that it had open.
struct PoolLosses {
  std::uint64_t overtaken = 0;  // by another writer
  std::uint64_t replaced = 0;   // its device held another instance, or none
  std::uint64_t other = 0;      // memory of its log was missing
};

/// Thread-safe.
class Pool {
 public:
  Pool(csi::PoolSection section, std::chrono::milliseconds reclaim_interval,
       const DeviceOpener& open_device);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] const std::string& name() const { return section_.name; }

  /// The writer, which stood a moment ago; opened (and, by policy, the blank
  /// device formatted) on the first call, with the further devices of the
  /// configuration. Unavailable names pool, device and remedy. Keep the writer
  /// for one call: while an old one is held, no other can be opened.
  absl::StatusOr<std::shared_ptr<Writer>> Open();

  /// Open; logs an error once until it changes.
  void OpenOrTell();
  /// OpenOrTell where that is due: an open pool, one that was just lost, one
  /// that could not be opened for a reclaim interval.
  void Look();
  /// Whether it stood when somebody last looked. Never waits, unlike Open.
  [[nodiscard]] bool IsOpen() const { return open_; }
  /// Null while the pool is not open; waits for an opening under way.
  std::shared_ptr<Writer> OpenedWriter();
  [[nodiscard]] PoolLosses losses();

  /// Deleted space is given back by a thread of the pool's own (Reclaimer).
  void ReclaimSoon() { reclaimer_.Soon(); }
  void StopReclaiming() { reclaimer_.Stop(); }

 private:
  using Clock = ReopenPause::Clock;

  absl::StatusOr<std::shared_ptr<Writer>> OpenLocked();
  std::shared_ptr<Writer> TakeUpLocked(std::shared_ptr<Writer> writer);
  void LoseLocked(const absl::Status& why);
  /// OK: nothing stands in the way of opening it now.
  [[nodiscard]] absl::Status MayOpenLocked() const;
  absl::StatusOr<std::shared_ptr<Writer>> OpenDevicesAndWriter() const;

  const csi::PoolSection section_;
  const std::chrono::milliseconds retry_;
  const DeviceOpener open_device_;
  ConfiguredDevices devices_;
  std::atomic<bool> open_ = false;

  std::mutex open_mutex_;  // one opening at a time; all that follows
  std::shared_ptr<Writer> writer_;
  std::weak_ptr<Writer> lost_writer_;  // calls may still end with it
  absl::Status lost_;              // why; OK: it never was, or is open again
  std::optional<Uuid> last_uuid_;  // of the instance that was last open
  ReopenPause pause_;
  PoolLosses losses_;
  std::string told_;  // the error of the last OpenOrTell
  Clock::time_point next_try_{};

  Reclaimer reclaimer_;  // last: its thread uses the members above
};

/// All pools, in the configuration's order.
class PoolSet {
 public:
  explicit PoolSet(const csi::Config& config,
                   const DeviceOpener& open_device = OpenDevice);

  /// Opens all, for a clear log at start; errors are logged, never fatal.
  void OpenAll();
  /// Unavailable names the pools that are not open. Never waits.
  [[nodiscard]] absl::Status CheckAllOpen() const;
  /// Before the end: no call has to wait for a scrub any more.
  void StopReclaiming();

  [[nodiscard]] const std::vector<std::unique_ptr<Pool>>& pools() const {
    return pools_;
  }
  /// By a name that the configuration has.
  [[nodiscard]] Pool& Get(std::string_view name) const;

 private:
  std::vector<std::unique_ptr<Pool>> pools_;
};

}  // namespace famfs::controller
