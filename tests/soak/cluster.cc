#include "tests/soak/cluster.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/units.h"
#include "tests/soak/end.h"

namespace famfs::soak {
namespace {

// Small: whatever is not given back is missed soon.
constexpr std::uint64_t kDeviceSize = 4 * kGiB;

}  // namespace

Cluster::Cluster()
    : pools_{{.name = "emulated", .device = "emulated:" + memory_ / "dcd"},
             {.name = "image", .device = "image:" + memory_ / "image"}} {
  rig::SubreapOrphans();
}

absl::Status Cluster::Start() {
  // The writers' locks of this run alone.
  if (::mount("run", "/run", "tmpfs", 0, "mode=0755") != 0) {
    return ErrnoError(errno, "tmpfs on /run");
  }
  rig::WriteFile(memory_ / "image", "");
  if (::truncate((memory_ / "image").c_str(), kDeviceSize) != 0) {
    return ErrnoError(errno, memory_ / "image");
  }
  const std::string config = dir_ / "config.yaml";
  rig::WriteFile(
      config, fmt::format("pools:\n"
                          "  - name: {}\n    device: {}\n    format: if-blank\n"
                          "    emulated: {{size: {}}}\n"
                          "  - name: {}\n    device: {}\n    format: if-blank\n"
                          "controller:\n  reclaimInterval: 1s\n",
                          pools_[0].name, pools_[0].device, kDeviceSize,
                          pools_[1].name, pools_[1].device));
  controller_ = std::make_unique<Daemon>(
      "famfs-csi-controller",
      rig::Process::Options{
          .argv = {rig::Binary("famfs-csi-controller"), "--config", config,
                   "--endpoint", "unix://" + dir_ / "csi.sock"},
          .environment = {"FAMFS_SYSTEM_UUID_FILE=" + dir_ / "system_uuid"}},
      dir_ / "csi.sock");
  FAMFS_RETURN_IF_ERROR(controller_->Start());
  FAMFS_RETURN_IF_ERROR(controller_->WaitUntilItListens());
  nodes_[0] = std::make_unique<Node>("a", config, false);
  nodes_[1] = std::make_unique<Node>("b", config, true);
  for (const auto& node : nodes_) FAMFS_RETURN_IF_ERROR(node->Start());
  return FindDataPaths();
}

absl::Status Cluster::FindDataPaths() {
  for (SoakPool& pool : pools_) {
    std::string path;
    for (const auto& node : nodes_) {
      if (!rig::Eventually([&] {
            path = node->DataPathOf(pool.device);
            return !path.empty();
          })) {
        return Unavailable("{} is not served on node {}", pool.device,
                           node->name());
      }
    }
    pool.shared = path == "passthrough";
  }
  return absl::OkStatus();
}

std::vector<Daemon*> Cluster::daemons() {
  std::vector<Daemon*> all;
  if (controller_ != nullptr) all.push_back(controller_.get());
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;  // it was not come to
    for (Daemon* daemon : node->daemons()) all.push_back(daemon);
  }
  return all;
}

std::vector<std::string> Cluster::DeviceFiles() const {
  return Listing(memory_.path());
}

std::string Cluster::Logs() {
  std::string logs;
  for (const Daemon* daemon : daemons()) {
    logs += fmt::format("==== {}\n{}", daemon->name(), daemon->Log());
  }
  return logs;
}

}  // namespace famfs::soak
