// kubelet's side of the registration: it watches plugins_registry, asks whoever
// appears there and tells the outcome.
#pragma once

#include <memory>
#include <string>

#include "csi/csi.grpc.pb.h"
#include "node/registration.grpc.pb.h"
#include "tests/integration/node/test_node.h"

namespace famfs::node {

namespace registration = ::pluginregistration;

class Kubelet {
 public:
  /// Makes plugins_registry and watches it from now on.
  explicit Kubelet(TestNode& node);

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] std::string directory() const { return directory_; }
  /// Waits for the next time that the socket's name appears, as a watcher of
  /// the directory is told.
  [[nodiscard]] bool WaitUntilItAppears(
      rig::Duration patience = rig::kPatience);
  /// The same until the name is deleted; to be moved away is not enough.
  [[nodiscard]] bool WaitUntilItIsDeleted(
      rig::Duration patience = rig::kPatience);
  [[nodiscard]] bool SocketIsThere() const { return node_.Exists(socket_); }

  absl::StatusOr<registration::PluginInfo> GetInfo();
  absl::Status Notify(bool registered, const std::string& error);
  /// What kubelet asks on csi.sock when it registers: the topology's keys.
  std::vector<std::string> TopologyKeys();

 private:
  std::unique_ptr<registration::Registration::Stub> Stub();
  bool WaitFor(std::uint32_t events, rig::Duration patience);

  TestNode& node_;
  std::string directory_;
  std::string socket_;
  UniqueFd watch_;
};

/// Listens on a Unix socket without ever answering: another registrar.
UniqueFd ListenOn(const std::string& path);

}  // namespace famfs::node
