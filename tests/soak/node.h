// A node of the soak's cluster: a mount namespace with a kubelet directory, the
// real node plugin, its servers, and kubelet's part in a volume's life.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "runtime/mount_table.h"
#include "tests/integration/support/rig.h"
#include "tests/soak/daemon.h"

namespace famfs::soak {

/// A famfs-fused of a node. The descriptor means this process for good.
struct FusedServer {
  pid_t pid = -1;
  UniqueFd pidfd;
};

class Node {
 public:
  /// `config`: the driver's file. `with_spawner`: the servers are children of a
  /// famfs-fused-spawner, as in the chart, and not of the plugin.
  Node(const std::string& name, const std::string& config, bool with_spawner);
  /// Kills all that runs on it.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] absl::Status Start();
  [[nodiscard]] const std::string& name() const { return name_; }
  Daemon& plugin() { return *plugin_; }
  /// Null without one.
  Daemon* spawner() { return spawner_.get(); }
  std::vector<Daemon*> daemons();
  /// Those that live and hold a lock of this node's pools.
  [[nodiscard]] std::vector<FusedServer> Servers() const;

  /// In the node's mount namespace.
  void Run(const std::function<void()>& body) const { host_.Run(body); }
  [[nodiscard]] absl::StatusOr<MountTable> Mounts() const;
  /// The data path by which the device is served; "" while it is not.
  [[nodiscard]] std::string DataPathOf(const std::string& device) const;
  [[nodiscard]] const std::string& kubelet() const { return kubelet_; }
  [[nodiscard]] std::string PoolsDirectory() const;

  // As kubelet does it. The directories are made, and must be as empty
  // afterwards as they were: FailedPrecondition names what was left.
  [[nodiscard]] std::string StagingPath(const std::string& volume) const;
  [[nodiscard]] std::string TargetPath(const std::string& pod) const;
  [[nodiscard]] absl::Status MakeParents(const std::string& path,
                                         bool with_itself) const;
  [[nodiscard]] absl::Status RemoveStaging(const std::string& volume) const;
  [[nodiscard]] absl::Status RemovePod(const std::string& pod) const;

 private:
  [[nodiscard]] absl::Status RemoveDirectories(
      const std::vector<std::string>& directories) const;

  const std::string name_;
  rig::TempDir dir_;
  const std::string kubelet_;
  rig::MountNamespace host_;
  std::unique_ptr<Daemon> spawner_;
  std::unique_ptr<Daemon> plugin_;
};

}  // namespace famfs::soak
