#include "tests/soak/end.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "dax/device.h"
#include "instance/deletion/host_table.h"
#include "instance/log/layout.h"
#include "tests/soak/calls.h"
#include "tests/soak/life.h"

namespace famfs::soak {
namespace {

namespace fs = std::filesystem;

constexpr char kFused[] = "fuse.famfs";
// A few of each of gRPC's pools; one thread for each life would be hundreds.
constexpr std::size_t kGrpcGrowth = 8;

std::string Text(const Holdings& holdings) {
  return fmt::format("{} descriptors, {} threads and {} of gRPC",
                     holdings.descriptors, holdings.threads,
                     holdings.grpc_threads);
}

// The last answer of what is asked until it is OK.
absl::Status Await(const std::function<absl::Status()>& condition) {
  absl::Status last;
  rig::Eventually(
      [&] {
        last = condition();
        return last.ok();
      },
      kStepPatience);
  return last;
}

absl::Status CheckMounts(const Node& node, std::size_t pools) {
  FAMFS_ASSIGN_OR_RETURN(const MountTable table, node.Mounts());
  std::vector<std::string> left;
  for (const MountEntry& entry : table.entries()) {
    if (entry.fs_type != kFused) continue;
    left.push_back(fmt::format("{} ({})", entry.mount_point, entry.root));
  }
  if (left.size() == pools) return absl::OkStatus();
  return FailedPrecondition("mounts on node {}, where {} pools are served: {}",
                            node.name(), pools, fmt::join(left, ", "));
}

// kubelet's own roots stay, and what a pool has on a node.
absl::Status CheckFiles(const Node& node, std::size_t pools) {
  std::vector<std::string> left;
  std::size_t uuids = 0;
  node.Run([&] {
    std::error_code error;
    for (const std::string root :
         {"/pods", "/plugins/kubernetes.io/csi/famfs.csi"}) {
      for (const auto& entry :
           fs::directory_iterator(node.kubelet() + root, error)) {
        left.push_back(entry.path());
      }
    }
    for (const auto& entry :
         fs::directory_iterator(node.PoolsDirectory(), error)) {
      const std::string kind = entry.path().extension();
      if (kind.empty()) ++uuids;
      if (kind.empty() || kind == ".lock" || kind == ".devices" ||
          kind == ".memory") {
        continue;
      }
      left.push_back(entry.path());
    }
  });
  if (left.empty() && uuids == pools) return absl::OkStatus();
  return FailedPrecondition("left on node {}, beside {} pools: {}", node.name(),
                            uuids, fmt::join(left, ", "));
}

absl::Status CheckHostRows(const SoakPool& pool, std::size_t expected) {
  FAMFS_ASSIGN_OR_RETURN(const auto device,
                         OpenDevice(pool.device, Access::kRead));
  if (device->capabilities().removed_extents_live_on) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(Layout layout, Layout::Open(*device, Access::kRead));
  std::size_t rows = 0;
  for (const HostRow& row :
       LoadHosts(layout.head(), layout.superblock().fs_uuid)) {
    if (row.damaged || row.record.state != HostState::kClosed) ++rows;
  }
  if (rows == expected) return absl::OkStatus();
  return FailedPrecondition(
      "pool {}: {} rows of its host table are in use; {} servers live",
      pool.name, rows, expected);
}

std::string NameOf(const FusedServer& server) {
  std::string command =
      rig::ReadWholeFile(fmt::format("/proc/{}/cmdline", server.pid));
  std::replace(command.begin(), command.end(), '\0', ' ');
  while (command.ends_with(' ')) command.pop_back();
  return "famfs-fused at " + command.substr(command.rfind(' ') + 1);
}

// Not lazily: a mount that somebody still uses is a leak.
absl::Status UnmountPools(const Node& node) {
  absl::Status status;
  node.Run([&] {
    const auto table = MountTable::Read();
    if (!table.ok()) {
      status = table.status();
      return;
    }
    for (const MountEntry& entry : table->entries()) {
      if (entry.fs_type != kFused ||
          ::umount2(entry.mount_point.c_str(), 0) == 0) {
        continue;
      }
      status = ErrnoError(errno, "unmounting " + entry.mount_point);
    }
  });
  return status;
}

absl::Status AwaitEnd(const std::vector<FusedServer>& servers) {
  for (const FusedServer& server : servers) {
    if (!rig::WaitForExit(server.pid)) {
      return FailedPrecondition(
          "famfs-fused {} does not end, though its mount is gone", server.pid);
    }
  }
  return absl::OkStatus();
}

// Whatever the daemons started is ours now (SubreapOrphans).
absl::Status CheckProcesses() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
  }
  if (pid < 0) return absl::OkStatus();
  return FailedPrecondition("a process is left: {}",
                            rig::ReadWholeFile(fmt::format(
                                "/proc/{0}/task/{0}/children", ::getpid())));
}

}  // namespace

absl::StatusOr<std::string> Capacities(Cluster& cluster) {
  const Clients clients(cluster);
  std::string text;
  for (const SoakPool& pool : cluster.pools()) {
    pb::GetCapacityRequest request;
    (*request.mutable_parameters())["pool"] = pool.name;
    FAMFS_ASSIGN_OR_RETURN(
        const pb::GetCapacityResponse capacity,
        rig::Call(*clients.controller, &pb::Controller::Stub::GetCapacity,
                  request));
    text += fmt::format("{}: {} bytes, largest {}; ", pool.name,
                        capacity.available_capacity(),
                        capacity.maximum_volume_size().value());
  }
  return text;
}

std::vector<std::string> Listing(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    names.push_back(fmt::format(
        "{} {}", entry.path().string(),
        entry.is_regular_file() ? std::to_string(entry.file_size()) : "-"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status AwaitGivenBack(Cluster& cluster, const std::string& capacities) {
  const Clients clients(cluster);
  FAMFS_ASSIGN_OR_RETURN(
      const pb::ListVolumesResponse volumes,
      rig::Call(*clients.controller, &pb::Controller::Stub::ListVolumes,
                pb::ListVolumesRequest()));
  if (volumes.entries_size() > 0) {
    return FailedPrecondition("{} volumes are left, such as {}",
                              volumes.entries_size(),
                              volumes.entries(0).volume().volume_id());
  }
  return Await([&]() -> absl::Status {
    FAMFS_ASSIGN_OR_RETURN(const std::string now, Capacities(cluster));
    if (now == capacities) return absl::OkStatus();
    return FailedPrecondition("capacity was {} and is {}", capacities, now);
  });
}

absl::Status CheckNodes(Cluster& cluster) {
  const std::size_t pools = cluster.pools().size();
  for (const auto& node : cluster.nodes()) {
    FAMFS_RETURN_IF_ERROR(Await([&] { return CheckMounts(*node, pools); }));
    FAMFS_RETURN_IF_ERROR(CheckFiles(*node, pools));
  }
  for (const SoakPool& pool : cluster.pools()) {
    FAMFS_RETURN_IF_ERROR(
        Await([&] { return CheckHostRows(pool, cluster.nodes().size()); }));
  }
  return absl::OkStatus();
}

std::map<std::string, Holdings> AllHoldings(Cluster& cluster) {
  std::map<std::string, Holdings> all;
  for (const Daemon* daemon : cluster.daemons()) {
    all[daemon->name()] = HoldingsOf(daemon->pid());
  }
  for (const auto& node : cluster.nodes()) {
    for (const FusedServer& server : node->Servers()) {
      all[NameOf(server)] = HoldingsOf(server.pid);
    }
  }
  return all;
}

absl::Status AwaitHoldings(Cluster& cluster,
                           const std::map<std::string, Holdings>& before) {
  return Await([&]() -> absl::Status {
    for (const auto& [name, now] : AllHoldings(cluster)) {
      const auto was = before.find(name);
      if (was == before.end()) return NotFound("{} is new", name);
      if (now.descriptors <= was->second.descriptors &&
          now.threads <= was->second.threads &&
          now.grpc_threads <= was->second.grpc_threads + kGrpcGrowth) {
        continue;
      }
      return FailedPrecondition(
          "{} had {} before calm lives, and has {} after them", name,
          Text(was->second), Text(now));
    }
    return absl::OkStatus();
  });
}

absl::Status EndAll(Cluster& cluster) {
  FAMFS_RETURN_IF_ERROR(cluster.controller().Stop());
  for (const auto& node : cluster.nodes()) {
    FAMFS_RETURN_IF_ERROR(node->plugin().Stop());
    const std::vector<FusedServer> servers = node->Servers();
    FAMFS_RETURN_IF_ERROR(UnmountPools(*node));
    FAMFS_RETURN_IF_ERROR(AwaitEnd(servers));
    if (node->spawner() != nullptr) {
      FAMFS_RETURN_IF_ERROR(node->spawner()->Stop());
    }
  }
  FAMFS_RETURN_IF_ERROR(CheckProcesses());
  for (const SoakPool& pool : cluster.pools()) {
    FAMFS_RETURN_IF_ERROR(CheckHostRows(pool, 0));
  }
  for (const Daemon* daemon : cluster.daemons()) {
    if (fs::exists(daemon->socket())) {
      return FailedPrecondition("{} is left", daemon->socket());
    }
  }
  for (const std::string& name : Listing("/run")) {
    if (!name.ends_with(" -")) return FailedPrecondition("{} is left", name);
  }
  return absl::OkStatus();
}

absl::Status CheckDevices(const Cluster& cluster) {
  for (const SoakPool& pool : cluster.pools()) {
    FAMFS_ASSIGN_OR_RETURN(
        const auto fsck, rig::Process::Start({.argv = {rig::Binary("famfs"),
                                                       "fsck", pool.device}}));
    FAMFS_ASSIGN_OR_RETURN(const int status, fsck->Wait());
    if (status != 0) {
      return DataLoss("famfs fsck {}: status {}: {}", pool.device, status,
                      fsck->output());
    }
  }
  return absl::OkStatus();
}

}  // namespace famfs::soak
