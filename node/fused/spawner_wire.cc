#include "node/fused/spawner_wire.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/socket_file.h"

namespace famfs::node {
namespace {

/// Unavailable in place of what a system call says; a message that breaks the
/// rules stays InvalidArgument.
absl::Status Answering(const absl::Status& status) {
  if (status.ok() || absl::IsInvalidArgument(status)) return status;
  return Unavailable("famfs-fused-spawner does not answer: {}",
                     Message(status));
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectToSpawner(const std::string& path,
                                          const timeval& limit) {
  FAMFS_ASSIGN_OR_RETURN(const sockaddr_un address, SocketAddress(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
    return Unavailable(
        "no famfs-fused-spawner answers at {} ({}): see the log of the "
        "container \"fused\" of this pod",
        path, std::strerror(errno));
  }
  return fd;
}

absl::Status SendMessage(int socket, const SpawnerMessage& message) {
  if (message.text.size() > kMaxSpawnerMessage) {
    return InvalidArgument("a message of {} bytes is too long; at most {}",
                           message.text.size(), kMaxSpawnerMessage);
  }
  std::vector<int> descriptors;
  for (const UniqueFd& fd : message.descriptors) {
    descriptors.push_back(fd.get());
  }
  return Answering(SendDescriptors(socket, message.text, descriptors));
}

absl::StatusOr<SpawnerMessage> ReceiveMessage(int socket) {
  auto message = ReceiveDescriptors(socket, kMaxSpawnerMessage);
  FAMFS_RETURN_IF_ERROR(Answering(message.status()));
  return *std::move(message);
}

nlohmann::json ToJson(const FusedLaunch& options) {
  return {{"device", options.device.ToString()},
          {"deviceList", options.device_list},
          {"mountPoint", options.mount_point},
          {"lockFile", options.lock_file},
          {"logFormat", options.log_format}};
}

absl::StatusOr<FusedLaunch> FusedLaunchFromJson(const nlohmann::json& json) {
  FusedLaunch options;
  std::string device;
  const std::pair<const char*, std::string*> members[] = {
      {"device", &device},
      {"deviceList", &options.device_list},
      {"mountPoint", &options.mount_point},
      {"lockFile", &options.lock_file},
      {"logFormat", &options.log_format}};
  for (const auto& [name, target] : members) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) {
      return InvalidArgument("the request lacks \"{}\", a text", name);
    }
    *target = found->get<std::string>();
  }
  FAMFS_ASSIGN_OR_RETURN(options.device, DeviceSpec::Parse(device));
  return options;
}

}  // namespace famfs::node
