// The pools of the configuration, each an instance that this process writes.
//
// A pool opens when it is first needed and stays open. One that cannot be
// opened (device missing, another writer, damaged log) makes its own calls
// UNAVAILABLE, with what to do, and is tried again by the next call; the others
// go on.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "csi/config.h"
#include "dax/device.h"
#include "instance/writer.h"

namespace famfs::controller {

/// How a pool gets its device: OpenDevice, or a test's own.
using DeviceOpener = std::function<absl::StatusOr<std::unique_ptr<DaxDevice>>(
    std::string_view spec, Access access)>;

/// Thread-safe.
class Pool {
 public:
  Pool(csi::PoolSection section, DeviceOpener open_device);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] const std::string& name() const { return section_.name; }

  /// The writer, opened (and, by policy, the blank device formatted) on the
  /// first call. Unavailable names pool, device and remedy.
  absl::StatusOr<std::shared_ptr<Writer>> Open();

  /// Asks for deleted space to be given back (Writer::Reclaim) soon, on the
  /// pool's own thread; returns at once. Requests that come before it begins
  /// are served by one. While deleted volumes wait for hosts the thread asks
  /// again by itself.
  void ReclaimSoon();

 private:
  absl::StatusOr<std::shared_ptr<Writer>> OpenDeviceAndWriter() const;
  void RunReclaimer();
  void Reclaim(Writer& writer, std::string& last_error);

  const csi::PoolSection section_;
  const DeviceOpener open_device_;
  std::mutex open_mutex_;  // one opening at a time
  std::shared_ptr<Writer> writer_;

  std::mutex reclaim_mutex_;
  std::condition_variable reclaim_wanted_;
  bool reclaim_ = false;
  bool waits_for_hosts_ = false;  // the reclaimer's own
  bool stopping_ = false;
  std::thread reclaimer_;
};

/// All pools, in the configuration's order.
class PoolSet {
 public:
  explicit PoolSet(const csi::Config& config,
                   const DeviceOpener& open_device = OpenDevice);

  /// Opens all, for a clear log at start; errors are logged, never fatal.
  void OpenAll();

  [[nodiscard]] const std::vector<std::unique_ptr<Pool>>& pools() const {
    return pools_;
  }
  /// By a name that the configuration has.
  [[nodiscard]] Pool& Get(std::string_view name) const;

 private:
  std::vector<std::unique_ptr<Pool>> pools_;
};

}  // namespace famfs::controller
