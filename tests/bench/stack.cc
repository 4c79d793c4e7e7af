#include "tests/bench/stack.h"

#include <signal.h>
#include <sys/mount.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/support/rpc.h"

namespace famfs::bench {
namespace {

pb::VolumeCapability SharedWriter() {
  pb::VolumeCapability capability;
  capability.mutable_mount();
  capability.mutable_access_mode()->set_mode(
      pb::VolumeCapability::AccessMode::MULTI_NODE_MULTI_WRITER);
  return capability;
}

// Everything mounted below `root`, the last mount first.
void DetachMounts(const std::string& root) {
  std::ifstream mountinfo("/proc/self/mountinfo");
  std::vector<std::string> points;
  for (std::string line; std::getline(mountinfo, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string point;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    if (point.starts_with(root + "/")) points.push_back(point);
  }
  for (auto it = points.rbegin(); it != points.rend(); ++it) {
    ::umount2(it->c_str(), MNT_DETACH);
  }
}

// famfs-fused outlives the plugin on purpose: its lock file names its pid.
void StopServers(const std::string& pools) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(pools, error)) {
    if (entry.path().extension() != ".lock") continue;
    const pid_t pid = std::atoi(rig::ReadWholeFile(entry.path()).c_str());
    if (pid > 1) {
      ::kill(pid, SIGTERM);
      rig::WaitForExit(pid);
    }
  }
}

}  // namespace

void Must(const absl::Status& status, const std::string& what) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", what.c_str(),
               std::string(Message(status)).c_str());
  std::exit(2);
}

Stack::Stack(const rig::DeviceOptions& options) {
  rig::SubreapOrphans();
  const rig::Device device =
      Must(rig::Device::Create(memory_ / "dcd", options), "emulated device");
  rig::WriteFile(dir_ / "config.yaml",
                 "pools:\n  - name: bench\n    device: " + device.spec() +
                     "\n    systemUuid: " + device.system_uuid().ToString() +
                     "\n");
  std::filesystem::create_directories(dir_ / "kubelet");
  const auto start = [&](const char* program, const std::string& socket,
                         std::vector<std::string> more) {
    std::vector<std::string> argv = {rig::Binary(program), "--config",
                                     dir_ / "config.yaml", "--endpoint",
                                     "unix://" + socket};
    argv.insert(argv.end(), more.begin(), more.end());
    auto process = Must(rig::Process::Start({.argv = argv}), program);
    Must(rig::WaitForSocket(socket, process.get()), program);
    return process;
  };
  controller_ = start("famfs-csi-controller", dir_ / "controller.sock", {});
  node_ = start("famfs-csi-node", dir_ / "node.sock",
                {"--node-id", "bench", "--kubelet-path", dir_ / "kubelet"});
  controller_stub_ =
      pb::Controller::NewStub(rig::Connect(dir_ / "controller.sock"));
  node_stub_ = pb::Node::NewStub(rig::Connect(dir_ / "node.sock"));
}

Stack::~Stack() {
  node_->Kill();
  controller_->Kill();
  DetachMounts(dir_ / "kubelet");
  StopServers(dir_ / "kubelet/plugins/famfs.csi/pools");
}

pb::CreateVolumeRequest Stack::CreateRequest(const std::string& name,
                                             std::uint64_t size) const {
  pb::CreateVolumeRequest request;
  request.set_name(name);
  request.mutable_capacity_range()->set_required_bytes(
      static_cast<std::int64_t>(size));
  *request.add_volume_capabilities() = SharedWriter();
  return request;
}

std::string Stack::Create(const std::string& name, std::uint64_t size) {
  return Must(rig::Call(controller(), &pb::Controller::Stub::CreateVolume,
                        CreateRequest(name, size)),
              "CreateVolume " + name)
      .volume()
      .volume_id();
}

void Stack::Delete(const std::string& id) {
  pb::DeleteVolumeRequest request;
  request.set_volume_id(id);
  Must(rig::Call(controller(), &pb::Controller::Stub::DeleteVolume, request)
           .status(),
       "DeleteVolume");
}

std::string Stack::StagingPath(const std::string& id) const {
  return dir_ / "kubelet/staging/" + id;
}
std::string Stack::TargetPath(const std::string& id) const {
  return dir_ / "kubelet/pods/" + id + "/mount";
}

void Stack::Stage(const std::string& id) {
  std::filesystem::create_directories(StagingPath(id));
  pb::NodeStageVolumeRequest request;
  request.set_volume_id(id);
  request.set_staging_target_path(StagingPath(id));
  *request.mutable_volume_capability() = SharedWriter();
  Must(rig::Call(node(), &pb::Node::Stub::NodeStageVolume, request).status(),
       "NodeStageVolume");
}

std::string Stack::Publish(const std::string& id,
                           pb::VolumeCapability::AccessMode::Mode mode) {
  const std::string target = TargetPath(id);
  std::filesystem::create_directories(
      std::filesystem::path(target).parent_path());
  pb::NodePublishVolumeRequest request;
  request.set_volume_id(id);
  request.set_staging_target_path(StagingPath(id));
  request.set_target_path(target);
  *request.mutable_volume_capability() = SharedWriter();
  request.mutable_volume_capability()->mutable_access_mode()->set_mode(mode);
  Must(rig::Call(node(), &pb::Node::Stub::NodePublishVolume, request).status(),
       "NodePublishVolume");
  return target;
}

void Stack::Unpublish(const std::string& id) {
  pb::NodeUnpublishVolumeRequest request;
  request.set_volume_id(id);
  request.set_target_path(TargetPath(id));
  Must(
      rig::Call(node(), &pb::Node::Stub::NodeUnpublishVolume, request).status(),
      "NodeUnpublishVolume");
}

void Stack::Unstage(const std::string& id) {
  pb::NodeUnstageVolumeRequest request;
  request.set_volume_id(id);
  request.set_staging_target_path(StagingPath(id));
  Must(rig::Call(node(), &pb::Node::Stub::NodeUnstageVolume, request).status(),
       "NodeUnstageVolume");
}

std::string Stack::PublishedFile(const std::string& name, std::uint64_t size) {
  const std::string id = Create(name, size);
  Stage(id);
  return Publish(id) + "/data";
}

}  // namespace famfs::bench
