// The soak's cluster: two pools, an emulated device and an image, the real
// controller, and two nodes. The second node has its servers started by a
// famfs-fused-spawner.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "csi/csi.grpc.pb.h"
#include "tests/integration/support/rig.h"
#include "tests/soak/calls.h"
#include "tests/soak/daemon.h"
#include "tests/soak/node.h"

namespace famfs::soak {

struct SoakPool {
  std::string name;
  std::string device;   // as the configuration has it
  bool shared = false;  // several nodes may write at once
};

class Cluster {
 public:
  Cluster();

  /// Ready for calls when it returns.
  [[nodiscard]] absl::Status Start();

  Daemon& controller() { return *controller_; }
  std::array<std::unique_ptr<Node>, 2>& nodes() { return nodes_; }
  std::vector<Daemon*> daemons();
  [[nodiscard]] const std::vector<SoakPool>& pools() const { return pools_; }
  /// Names and sizes of what the pools consist of.
  [[nodiscard]] std::vector<std::string> DeviceFiles() const;
  /// Of the whole cluster, for whoever reads of a failure.
  std::string Logs();

 private:
  [[nodiscard]] absl::Status StartController();
  [[nodiscard]] absl::Status FindDataPaths();

  rig::Tmpfs memory_;
  rig::TempDir dir_{"famfs-soak"};
  std::vector<SoakPool> pools_;
  std::unique_ptr<Daemon> controller_;
  std::array<std::unique_ptr<Node>, 2> nodes_;
};

}  // namespace famfs::soak
