#include "csi/rpc/peer_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

namespace famfs::csi {

std::string PeerAddress(int fd) {
  sockaddr_storage address = {};
  socklen_t length = sizeof(address);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return {};
  }
  if (address.ss_family == AF_INET) {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(&address);
    return {reinterpret_cast<const char*>(&ipv4->sin_addr),
            sizeof(ipv4->sin_addr)};
  }
  if (address.ss_family == AF_INET6) {
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(&address);
    return {reinterpret_cast<const char*>(&ipv6->sin6_addr),
            sizeof(ipv6->sin6_addr)};
  }
  return {};
}

}  // namespace famfs::csi
