#include "tests/integration/node/kubelet.h"

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "tests/integration/support/wait.h"

namespace famfs::node {
namespace {

constexpr std::uint32_t kAppears = IN_CREATE | IN_MOVED_TO;

}  // namespace

Kubelet::Kubelet(TestNode& node)
    : node_(node),
      directory_(node.kubelet() + "/plugins_registry"),
      socket_(directory_ + "/famfs.csi-reg.sock"),
      watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  node_.Run([&] {
    std::filesystem::create_directory(directory_);
    EXPECT_GE(::inotify_add_watch(watch_.get(), directory_.c_str(),
                                  kAppears | IN_DELETE),
              0);
  });
}

bool Kubelet::WaitUntilItAppears(rig::Duration patience) {
  return WaitFor(kAppears, patience);
}

bool Kubelet::WaitUntilItIsDeleted(rig::Duration patience) {
  return WaitFor(IN_DELETE, patience);
}

bool Kubelet::WaitFor(std::uint32_t events, rig::Duration patience) {
  const rig::Deadline deadline(patience);
  const std::string name = std::filesystem::path(socket_).filename();
  alignas(inotify_event) std::array<char, 4096> buffer;
  bool seen = false;
  while (!seen && !deadline.Passed()) {
    if (!rig::PollFd(watch_.get(), POLLIN, deadline, patience)) continue;
    const ssize_t length = ::read(watch_.get(), buffer.data(), buffer.size());
    for (ssize_t at = 0; at < length;) {
      const auto* event =
          reinterpret_cast<const inotify_event*>(buffer.data() + at);
      if (event->len > 0 && name == event->name &&
          (event->mask & events) != 0) {
        seen = true;
      }
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  return seen;
}

// The socket lies on the node's tmpfs, which this process sees only through the
// plugin's root directory.
std::unique_ptr<registration::Registration::Stub> Kubelet::Stub() {
  return registration::Registration::NewStub(rig::Connect(
      fmt::format("/proc/{}/root{}", node_.plugin().pid(), socket_)));
}

absl::StatusOr<registration::PluginInfo> Kubelet::GetInfo() {
  return rig::Call(*Stub(), &registration::Registration::Stub::GetInfo,
                   registration::InfoRequest());
}

absl::Status Kubelet::Notify(bool registered, const std::string& error) {
  registration::RegistrationStatus status;
  status.set_plugin_registered(registered);
  status.set_error(error);
  return rig::Call(*Stub(),
                   &registration::Registration::Stub::NotifyRegistrationStatus,
                   status)
      .status();
}

std::vector<std::string> Kubelet::TopologyKeys() {
  const auto info = rig::Call(node_.stub(), &pb::Node::Stub::NodeGetInfo,
                              pb::NodeGetInfoRequest());
  EXPECT_TRUE(info.ok()) << Message(info.status());
  std::vector<std::string> keys;
  if (!info.ok()) return keys;
  for (const auto& [key, value] : info->accessible_topology().segments()) {
    keys.push_back(key);
  }
  return keys;
}

UniqueFd ListenOn(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
            0)
      << path << ": " << std::strerror(errno);
  EXPECT_EQ(::listen(fd.get(), 8), 0);
  return fd;
}

}  // namespace famfs::node
