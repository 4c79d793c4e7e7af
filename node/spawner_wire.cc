#include "node/spawner_wire.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace famfs::node {
namespace {

constexpr std::size_t kMaxDescriptors = 2;

absl::Status Gone(int error) {
  return Unavailable(
      "famfs-fused-spawner does not answer: {}",
      error == 0 ? "it closed the connection" : std::strerror(error));
}

}  // namespace

absl::StatusOr<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument(
        "{}: too long for a socket's path; choose one of at most {} bytes",
        path, sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

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
  iovec part = {.iov_base = const_cast<char*>(message.text.data()),
                .iov_len = message.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)>
      control = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!message.descriptors.empty()) {
    const std::size_t length = sizeof(int) * message.descriptors.size();
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(length);
    cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(length);
    for (std::size_t i = 0; i < message.descriptors.size(); ++i) {
      const int fd = message.descriptors[i].get();
      std::memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof(int));
    }
  }
  if (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) return Gone(errno);
  return absl::OkStatus();
}

absl::StatusOr<SpawnerMessage> ReceiveMessage(int socket) {
  SpawnerMessage message;
  message.text.resize(kMaxSpawnerMessage);
  iovec part = {.iov_base = message.text.data(),
                .iov_len = message.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)>
      control = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t length = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  if (length <= 0) return Gone(length < 0 ? errno : 0);
  message.text.resize(static_cast<std::size_t>(length));
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
       item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
      message.descriptors.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return InvalidArgument(
        "a message is too long, or has too many descriptors");
  }
  return message;
}

nlohmann::json ToJson(const FusedOptions& options) {
  return {{"device", options.device},
          {"deviceList", options.device_list},
          {"mountPoint", options.mount_point},
          {"lockFile", options.lock_file},
          {"logFormat", options.log_format}};
}

absl::StatusOr<FusedOptions> FusedOptionsFromJson(const nlohmann::json& json) {
  FusedOptions options;
  const std::pair<const char*, std::string*> members[] = {
      {"device", &options.device},
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
  return options;
}

}  // namespace famfs::node
