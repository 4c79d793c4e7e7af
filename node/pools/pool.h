// One pool of the configuration, on this node: its devices, its log, its
// server.
//
// Everything that touches a device is a look (Look), which is the pool's
// PoolWatch's to make, since it may never end. All others answer at once from
// what the last one found.
//
// A pool whose device is missing or blank does not keep the plugin from
// running: each look tries again, and says what to do. A further device that is
// missing takes away only the volumes that lie on it.
//
// The device of an open pool can be made anew (famfs mkfs, a directory that was
// removed). A look finds that out: the pool is the new instance from then on,
// with a log and a server of its own. Its predecessor's server and mounts are
// left as they are, dead for good: the server answers ESTALE, is not started
// again when it ends, and nothing of it is bound to the new one. Memory that is
// taken away and comes back with the same instance (a dax device whose
// namespace was disabled and enabled) is no new one: its server is replaced,
// and what is mounted of it is bound again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "csi/config/config.h"
#include "csi/volume/volume_id.h"
#include "instance/reader/reader.h"
#include "node/pools/pool_server.h"

namespace famfs::node {

struct PoolSettings {
  std::string fused_program;
  std::string fused_spawner;    // socket; empty: children of our own
  std::string pools_directory;  // real path: instances are mounted below
  std::string log_format;
};

/// A live volume, as the log says.
struct Volume {
  csi::VolumeId id;
  std::uint64_t size = 0;                // bytes
  DataPath data_path = DataPath::kAuto;  // what its StorageClass asks for
  VolumeLayout layout = VolumeLayout::kFile;
  TreeUsage usage{};  // of layout kTree
  bool sealed = false;
  /// Unavailable: a device that it lies on is missing on this node; says which.
  absl::Status devices{};
};

/// Thread-safe.
class Pool {
 public:
  using Serving = std::function<bool(Pool&, const ServedPool&)>;

  /// `serving` is handed to the PoolServer (PoolServer::Serving).
  Pool(csi::PoolSection section, PoolSettings settings, Serving serving);

  [[nodiscard]] const std::string& name() const { return section_.name; }
  /// Opens device and log and starts the server, once for each instance that
  /// the device turns out to hold; of an open pool, takes up what its log has
  /// got since. Unavailable names the pool, the reason and what to do; an
  /// instance that is out of reach for a while stays served. Logs an error once
  /// until it changes. `devices`: looks for further devices that are missing,
  /// too. One look at a time; may wait for ever.
  [[nodiscard]] absl::Status Look(bool devices);
  /// As of the last look; false while one hangs.
  [[nodiscard]] bool IsOpen() const { return open_ && !Hangs(); }
  /// A look has been under way for longer than kLookPatience.
  [[nodiscard]] bool Hangs() const;
  /// The host list of the device, or of the configuration, does not have this
  /// host, as of the last attempt to open it: nothing is missing here.
  [[nodiscard]] bool IsElsewhere() const { return elsewhere_; }
  /// The uuid of the file system; nullopt while it is not open.
  [[nodiscard]] std::optional<Uuid> fs_uuid() const;

  /// How it is served, at once; nullopt: it never was open.
  [[nodiscard]] std::optional<PoolServing> serving() const;
  /// How often its device was found to hold another instance.
  [[nodiscard]] std::uint64_t replacements() const { return replacements_; }
  /// Whether the device has held this instance, and holds another one now.
  [[nodiscard]] bool WasReplaced(const Uuid& fs_uuid) const;

  // Of an open pool; Unavailable when its instance was replaced meanwhile:

  /// As of the last look. NotFound: no such live volume, or one of another
  /// instance.
  absl::StatusOr<Volume> Find(const csi::VolumeId& id) const;
  /// Where the instance is served; waits for its server.
  absl::StatusOr<ServedPool> Served();
  /// The plugin ends: PoolServer::Interrupt.
  void Interrupt();
  /// Interrupt; `serving` is not called any more when it returns.
  void Stop();

 private:
  /// What the device held when it was opened.
  struct Instance {
    std::unique_ptr<Reader> reader;
    std::unique_ptr<PoolServer> server;
    mutable Mutex mutex{};  // for moments
    /// Why further devices cannot be used, by index.
    std::map<std::uint64_t, absl::Status> missing ABSL_GUARDED_BY(mutex){};
  };
  using Instances = std::vector<std::shared_ptr<Instance>>;

  // Parts of a look.
  [[nodiscard]] absl::Status OpenOrRefresh(bool devices);
  [[nodiscard]] absl::Status Refresh(Instance& instance, bool devices);
  void LookForDevices(Instance& instance);
  [[nodiscard]] absl::Status Serve(std::shared_ptr<Instance> instance);
  void Replace(const absl::Status& why);
  /// Replaced instances that nobody uses and whose servers have ended. Destroy
  /// them without a lock: a server's thread may wait for it.
  Instances TakeEnded();
  void LogOnce(const absl::Status& status);

  absl::StatusOr<std::shared_ptr<Instance>> Now() const;
  void WarnOfMissingDevices(const Instance& instance) const;

  const csi::PoolSection section_;
  const PoolSettings settings_;
  const Serving serving_;

  std::atomic<bool> open_ = false;
  std::atomic<bool> elsewhere_ = false;
  std::atomic<std::uint64_t> replacements_ = 0;
  /// Since the clock's epoch; 0: no look is under way.
  std::atomic<std::chrono::steady_clock::rep> look_began_ = 0;
  std::string logged_;  // the error of the last look; a look's own

  mutable Mutex mutex_;  // held for moments
  /// Null: none was opened, or replaced.
  std::shared_ptr<Instance> instance_ ABSL_GUARDED_BY(mutex_);
  /// Until their servers have ended.
  Instances replaced_ ABSL_GUARDED_BY(mutex_);
  /// Of all that were replaced.
  std::set<Uuid> former_ ABSL_GUARDED_BY(mutex_);
  /// Of servers of replaced instances.
  std::uint64_t earlier_starts_ ABSL_GUARDED_BY(mutex_) = 0;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace famfs::node
