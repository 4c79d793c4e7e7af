// A small cluster: one emulated device, the real famfs-csi-controller, and two
// nodes, each a mount namespace with a famfs-csi-node (and so a famfs-fused) of
// its own. Started once for the whole program.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "csi/csi.grpc.pb.h"
#include "tests/integration/support/device.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/support/rpc.h"

namespace famfs::semantics {

namespace pb = ::csi::v1;

class Node {
 public:
  Node(const std::string& name, const rig::Device& device);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void Start();
  pb::Node::Stub& stub() { return *stub_; }
  void Run(const std::function<void()>& body) const { host_.Run(body); }
  [[nodiscard]] std::string output() const { return plugin_->output(); }

  /// As kubelet forms them; the parent directories exist.
  [[nodiscard]] std::string StagingPath(const std::string& volume) const;
  [[nodiscard]] std::string TargetPath(const std::string& pod) const;
  /// Where the whole instance is mounted.
  [[nodiscard]] std::string InstancePath() const;
  /// 0 when nobody serves.
  [[nodiscard]] pid_t FusedPid() const;

 private:
  std::string name_;
  std::string fs_uuid_;
  rig::TempDir dir_;
  rig::MountNamespace host_;
  std::unique_ptr<rig::Process> plugin_;
  std::unique_ptr<pb::Node::Stub> stub_;
};

class Cluster {
 public:
  Cluster();

  /// Ready for calls when it returns; failures are gtest's.
  void Start();
  /// kill -9, then another controller on the same socket.
  void RestartController();
  pb::Controller::Stub& controller() { return *stub_; }
  Node& a() { return *a_; }
  Node& b() { return *b_; }
  [[nodiscard]] bool passes_through() const { return passes_through_; }

 private:
  void StartController();

  rig::Tmpfs memory_;
  rig::TempDir dir_;
  std::unique_ptr<rig::Device> device_;
  std::unique_ptr<rig::Process> controller_;
  std::unique_ptr<pb::Controller::Stub> stub_;
  std::unique_ptr<Node> a_;
  std::unique_ptr<Node> b_;
  bool passes_through_ = false;
};

}  // namespace famfs::semantics
