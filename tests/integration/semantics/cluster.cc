#include "tests/integration/semantics/cluster.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace famfs::semantics {
namespace {

namespace fs = std::filesystem;

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

std::string Pools(const rig::Device& device) {
  return fmt::format("pools:\n  - name: fast\n    device: {}\n", device.spec());
}

}  // namespace

Node::Node(const std::string& name, const rig::Device& device)
    : name_(name),
      fs_uuid_(device.fs_uuid().ToString()),
      dir_("famfs-semantics-" + name),
      host_(rig::MountNamespace::Create().value()) {
  rig::WriteFile(dir_ / "config.yaml", Pools(device));
  const std::string kubelet = dir_ / "kubelet";
  fs::create_directory(kubelet);
  Run([&] {
    ASSERT_EQ(::mount("kubelet", kubelet.c_str(), "tmpfs", 0, "mode=0755"), 0);
    ASSERT_EQ(::mount(nullptr, kubelet.c_str(), nullptr, MS_SHARED, nullptr),
              0);
  });
}

Node::~Node() {
  if (plugin_ == nullptr) return;
  // A client that nobody polls keeps its connection, for which a server that
  // stops would wait.
  stub_.reset();
  IgnoreError(plugin_->Stop().status(), "what it left is ended below");
  // famfs-fused outlives the plugin, as it should.
  const pid_t fused = FusedPid();
  if (fused > 0 && ::kill(fused, SIGKILL) == 0) {
    EXPECT_TRUE(rig::WaitForExit(fused)) << "famfs-fused " << fused;
  }
}

void Node::Start() {
  auto plugin = rig::Process::Start(
      {.argv = {rig::Binary("famfs-csi-node"), "--config", dir_ / "config.yaml",
                "--endpoint", "unix://" + dir_ / "csi.sock", "--node-id", name_,
                "--kubelet-path", dir_ / "kubelet"},
       .environment = {},
       .mount_namespace = host_.fd(),
       .working_directory = {}});
  ASSERT_TRUE(plugin.ok()) << Message(plugin.status());
  plugin_ = *std::move(plugin);
  const absl::Status up = rig::WaitForSocket(dir_ / "csi.sock", plugin_.get());
  ASSERT_TRUE(up.ok()) << Message(up);
  stub_ = pb::Node::NewStub(rig::Connect(dir_ / "csi.sock"));
}

std::string Node::StagingPath(const std::string& volume) const {
  const std::string parent =
      fmt::format("{}/plugins/kubernetes.io/csi/famfs.csi/{}", dir_ / "kubelet",
                  volume.substr(volume.rfind(':') + 1));
  Run([&] {
    // A deleted volume's bind is still there, and is stale: no directory to
    // make.
    std::error_code exists;
    fs::create_directories(parent + "/globalmount", exists);
  });
  return parent + "/globalmount";
}

std::string Node::TargetPath(const std::string& pod) const {
  const std::string parent = fmt::format(
      "{}/pods/{}/volumes/kubernetes.io~csi/pv", dir_ / "kubelet", pod);
  Run([&] { fs::create_directories(parent); });
  return parent + "/mount";
}

std::string Node::InstancePath() const {
  return fmt::format("{}/plugins/famfs.csi/pools/{}", dir_ / "kubelet",
                     fs_uuid_);
}

pid_t Node::FusedPid() const {
  pid_t pid = 0;
  Run([&] {
    pid = std::atoi(rig::ReadWholeFile(InstancePath() + ".lock").c_str());
  });
  return pid;
}

Cluster::Cluster() { rig::SubreapOrphans(); }

void Cluster::Start() {
  auto device = rig::Device::Create(memory_ / "dcd");
  ASSERT_TRUE(device.ok()) << Message(device.status());
  device_ = std::make_unique<rig::Device>(*std::move(device));
  rig::WriteFile(dir_ / "config.yaml", Pools(*device_) + "    systemUuid: " +
                                           device_->system_uuid().ToString() +
                                           "\n");
  ASSERT_NO_FATAL_FAILURE(StartController());
  a_ = std::make_unique<Node>("a", *device_);
  b_ = std::make_unique<Node>("b", *device_);
  for (Node* node : {a_.get(), b_.get()}) {
    ASSERT_NO_FATAL_FAILURE(node->Start());
  }
  std::array<char, 64> path = {};
  ASSERT_TRUE(rig::Eventually([&] {
    a_->Run([&] {
      ::getxattr(a_->InstancePath().c_str(), "user.famfs.datapath", path.data(),
                 path.size() - 1);
    });
    return path[0] != '\0';
  })) << a_->output();
  passes_through_ = std::string_view(path.data()) == "passthrough";
}

void Cluster::StartController() {
  auto process = rig::Process::Start(
      {.argv = {rig::Binary("famfs-csi-controller"), "--config",
                dir_ / "config.yaml", "--endpoint",
                "unix://" + dir_ / "csi.sock"},
       .environment = {},
       .mount_namespace = -1,
       .working_directory = {}});
  ASSERT_TRUE(process.ok()) << Message(process.status());
  controller_ = *std::move(process);
  const absl::Status up =
      rig::WaitForSocket(dir_ / "csi.sock", controller_.get());
  ASSERT_TRUE(up.ok()) << Message(up);
  stub_ = pb::Controller::NewStub(rig::Connect(dir_ / "csi.sock"));
}

void Cluster::RestartController() {
  controller_->Kill();
  StartController();
}

}  // namespace famfs::semantics
