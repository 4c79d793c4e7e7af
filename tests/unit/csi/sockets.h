// Clients of the tests of this room: plain sockets.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace famfs::csi {

/// Connected to an IPv4 or IPv6 address; invalid when refused. `from`: an IPv4
/// address of this machine.
inline UniqueFd ConnectTo(const std::string& host, std::uint16_t port,
                          const std::string& from = "") {
  sockaddr_in6 ipv6 = {};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(port);
  sockaddr_in ipv4 = {};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(port);
  const bool is_ipv6 = inet_pton(AF_INET6, host.c_str(), &ipv6.sin6_addr) == 1;
  inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr);
  UniqueFd fd(
      socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* address = is_ipv6 ? reinterpret_cast<const sockaddr*>(&ipv6)
                                : reinterpret_cast<const sockaddr*>(&ipv4);
  if (!from.empty()) {
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) !=
        0) {
      return UniqueFd();
    }
  }
  if (connect(fd.get(), address, is_ipv6 ? sizeof(ipv6) : sizeof(ipv4)) != 0) {
    fd.reset();
  }
  return fd;
}

inline bool SendText(const UniqueFd& fd, std::string_view text) {
  return send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

/// Whether the other side has something to say, or has closed, within ten
/// seconds.
inline bool IsReadable(const UniqueFd& fd, int milliseconds = 10'000) {
  pollfd polled = {.fd = fd.get(), .events = POLLIN, .revents = 0};
  return poll(&polled, 1, milliseconds) == 1;
}

/// All until the other side closes.
inline std::string ReceiveAll(const UniqueFd& fd) {
  std::string text;
  std::array<char, 4096> buffer;
  while (IsReadable(fd)) {
    const ssize_t length = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (length <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return text;
}

}  // namespace famfs::csi
