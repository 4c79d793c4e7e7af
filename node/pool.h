// One pool of the configuration, on this node: its devices, its log, its
// server.
//
// A pool whose device is missing or blank does not keep the plugin from
// running: each call that needs the pool tries again, and says what to do. A
// further device that is missing takes away only the volumes that lie on it; it
// is looked for again by each call that needs it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/status.h"
#include "csi/config.h"
#include "csi/volume_id.h"
#include "instance/reader.h"
#include "node/pool_server.h"

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
  /// Opens device and log and starts the server, once. Unavailable names the
  /// pool, the reason and what to do.
  [[nodiscard]] absl::Status Open();
  /// Never waits, unlike all the others.
  [[nodiscard]] bool IsOpen() const { return open_; }
  /// The host list of the device, or of the configuration, does not have this
  /// host, as of the last attempt to open it: nothing is missing here. Never
  /// waits.
  [[nodiscard]] bool IsElsewhere() const { return elsewhere_; }
  /// The uuid of the file system; nullopt while it is not open.
  [[nodiscard]] std::optional<Uuid> fs_uuid() const;

  /// How it is served, at once; nullopt: not open.
  [[nodiscard]] std::optional<PoolServing> serving() const;

  // Of an open pool:

  /// NotFound: no such live volume.
  absl::StatusOr<Volume> Find(const csi::VolumeId& id);
  /// Where the instance is served; waits for its server.
  absl::StatusOr<ServedPool> Served();
  /// The plugin ends: PoolServer::Interrupt.
  void Interrupt();

 private:
  [[nodiscard]] absl::Status OpenLocked();
  void WarnOfMissingDevices() const;
  /// Unavailable: the first that is missing.
  [[nodiscard]] absl::Status CheckDevices(
      const std::set<std::uint64_t>& devices) const;

  const csi::PoolSection section_;
  const PoolSettings settings_;
  const Serving serving_;

  mutable std::mutex mutex_;  // the two below, until they are set
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<PoolServer> server_;
  std::atomic<bool> open_ = false;  // server_ is set; it stays so
  std::atomic<bool> interrupted_ = false;
  std::atomic<bool> elsewhere_ = false;
};

}  // namespace famfs::node
