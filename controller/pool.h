// The pools of the configuration, each an instance that this process writes.
//
// A pool opens when it is first needed and stays open. One that cannot be
// opened (device missing, another writer, damaged log) makes its own calls
// UNAVAILABLE, with what to do, and is tried again by the next call and in each
// reclaim interval; the others go on.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "controller/configured_devices.h"
#include "controller/reclaimer.h"
#include "csi/config.h"
#include "dax/device.h"
#include "instance/writer.h"

namespace famfs::controller {

/// Thread-safe.
class Pool {
 public:
  Pool(csi::PoolSection section, std::chrono::milliseconds reclaim_interval,
       const DeviceOpener& open_device);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] const std::string& name() const { return section_.name; }

  /// The writer, opened (and, by policy, the blank device formatted) on the
  /// first call; further devices of the configuration are added to it.
  /// Unavailable names pool, device and remedy.
  absl::StatusOr<std::shared_ptr<Writer>> Open();

  /// Open; logs an error once until it changes.
  void OpenOrTell();
  /// Never waits, unlike Open.
  [[nodiscard]] bool IsOpen() const { return open_; }
  /// Null while the pool is not open; waits for an opening under way.
  std::shared_ptr<Writer> OpenedWriter();

  /// Deleted space is given back by a thread of the pool's own (Reclaimer).
  void ReclaimSoon() { reclaimer_.Soon(); }
  void StopReclaiming() { reclaimer_.Stop(); }

 private:
  absl::StatusOr<std::shared_ptr<Writer>> OpenDevicesAndWriter() const;
  const csi::PoolSection section_;
  const DeviceOpener open_device_;
  ConfiguredDevices devices_;
  std::mutex open_mutex_;  // one opening at a time
  std::shared_ptr<Writer> writer_;
  std::string told_;                // the error of the last OpenOrTell
  std::atomic<bool> open_ = false;  // writer_ is set; it stays so
  Reclaimer reclaimer_;             // last: its thread uses the members above
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
