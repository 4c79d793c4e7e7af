#include "tests/soak/node.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace famfs::soak {
namespace {

namespace fs = std::filesystem;

bool IsFused(pid_t pid) {
  std::error_code error;
  return fs::read_symlink(fmt::format("/proc/{}/exe", pid), error) ==
         fs::path(rig::Binary("famfs-fused"));
}

}  // namespace

Node::Node(const std::string& name, const std::string& config,
           bool with_spawner)
    : name_(name),
      dir_("famfs-soak-" + name),
      kubelet_(dir_ / "kubelet"),
      host_(rig::MountNamespace::Create().value()) {
  // Two hosts: each has an identity of its own.
  const std::vector<std::string> environment = {"FAMFS_SYSTEM_UUID_FILE=" +
                                                dir_ / "system_uuid"};
  std::vector<std::string> argv = {rig::Binary("famfs-csi-node"),
                                   "--config",
                                   config,
                                   "--endpoint",
                                   "unix://" + dir_ / "csi.sock",
                                   "--node-id",
                                   name,
                                   "--kubelet-path",
                                   kubelet_};
  if (with_spawner) {
    const std::string socket = dir_ / "fused.sock";
    argv.insert(argv.end(), {"--fused-spawner", socket});
    spawner_ = std::make_unique<Daemon>(
        "famfs-fused-spawner of " + name,
        rig::Process::Options{
            .argv = {rig::Binary("famfs-fused-spawner"), "--socket", socket},
            .environment = environment,
            .mount_namespace = host_.fd()},
        socket);
  }
  plugin_ = std::make_unique<Daemon>(
      "famfs-csi-node of " + name,
      rig::Process::Options{.argv = argv,
                            .environment = environment,
                            .mount_namespace = host_.fd()},
      dir_ / "csi.sock");
}

Node::~Node() {
  plugin_.reset();  // it would start others
  spawner_.reset();
  for (const FusedServer& server : Servers()) {
    ::syscall(SYS_pidfd_send_signal, server.pidfd.get(), SIGKILL, nullptr, 0);
    rig::WaitForExit(server.pid);
  }
}

absl::Status Node::Start() {
  fs::create_directory(kubelet_);
  absl::Status mounted;
  Run([&] {
    if (::mount("kubelet", kubelet_.c_str(), "tmpfs", 0, "mode=0755") != 0 ||
        ::mount(nullptr, kubelet_.c_str(), nullptr, MS_SHARED, nullptr) != 0) {
      mounted = ErrnoError(errno, kubelet_);
    }
  });
  FAMFS_RETURN_IF_ERROR(mounted);
  for (Daemon* daemon : daemons()) FAMFS_RETURN_IF_ERROR(daemon->Start());
  return plugin_->WaitUntilItListens();
}

std::vector<Daemon*> Node::daemons() {
  if (spawner_ == nullptr) return {plugin_.get()};
  return {spawner_.get(), plugin_.get()};
}

std::string Node::PoolsDirectory() const {
  return kubelet_ + "/plugins/famfs.csi/pools";
}

std::vector<FusedServer> Node::Servers() const {
  std::vector<pid_t> pids;
  Run([&] {
    std::error_code error;
    for (const auto& file : fs::directory_iterator(PoolsDirectory(), error)) {
      if (file.path().extension() != ".lock") continue;
      pids.push_back(std::atoi(rig::ReadWholeFile(file.path()).c_str()));
    }
  });
  std::vector<FusedServer> servers;
  for (const pid_t pid : pids) {
    if (pid <= 0) continue;
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const bool ours = pidfd.valid() && IsFused(pid) &&
                      rig::ReadWholeFile(fmt::format("/proc/{}/cmdline", pid))
                              .find(PoolsDirectory()) != std::string::npos;
    // If it has not ended by now, the pid was its own all the time.
    if (!ours || ::syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0)) {
      continue;
    }
    servers.push_back({pid, std::move(pidfd)});
  }
  return servers;
}

absl::StatusOr<MountTable> Node::Mounts() const {
  absl::StatusOr<MountTable> table = Internal("not read");
  Run([&] { table = MountTable::Read(); });
  return table;
}

std::string Node::DataPathOf(const std::string& device) const {
  const auto mounts = Mounts();
  if (!mounts.ok()) return "";
  std::array<char, 64> value = {};
  for (const MountEntry& entry : mounts->entries()) {
    if (entry.source != device || entry.root != "/") continue;
    Run([&] {
      ::getxattr(entry.mount_point.c_str(), "user.famfs.datapath", value.data(),
                 value.size() - 1);
    });
  }
  return value.data();
}

std::string Node::StagingPath(const std::string& volume) const {
  return fmt::format("{}/plugins/kubernetes.io/csi/famfs.csi/{}/globalmount",
                     kubelet_, volume.substr(volume.rfind(':') + 1));
}

std::string Node::TargetPath(const std::string& pod) const {
  return fmt::format("{}/pods/{}/volumes/kubernetes.io~csi/pv/mount", kubelet_,
                     pod);
}

absl::Status Node::MakeParents(const std::string& path,
                               bool with_itself) const {
  std::error_code error;
  Run([&] {
    fs::create_directories(
        with_itself ? fs::path(path) : fs::path(path).parent_path(), error);
  });
  return error ? ErrnoError(error.value(), path) : absl::OkStatus();
}

absl::Status Node::RemoveDirectories(
    const std::vector<std::string>& directories) const {
  absl::Status removed;
  Run([&] {
    for (const std::string& directory : directories) {
      if (::rmdir(directory.c_str()) == 0) continue;
      removed = FailedPrecondition("kubelet cannot remove {}: {}", directory,
                                   std::strerror(errno));
      return;
    }
  });
  return removed;
}

absl::Status Node::RemoveStaging(const std::string& volume) const {
  const std::string staging = StagingPath(volume);
  return RemoveDirectories({staging, fs::path(staging).parent_path().string()});
}

absl::Status Node::RemovePod(const std::string& pod) const {
  const std::string root = kubelet_ + "/pods/" + pod;
  return RemoveDirectories({root + "/volumes/kubernetes.io~csi/pv",
                            root + "/volumes/kubernetes.io~csi",
                            root + "/volumes", root});
}

}  // namespace famfs::soak
