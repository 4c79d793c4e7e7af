#include "csi/rpc/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace famfs::csi {
namespace {

constexpr char kAnyAddress[] = "::";
constexpr char kAnyIpv4Address[] = "0.0.0.0";

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

absl::StatusOr<Addresses> Resolve(const Endpoint& endpoint) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(endpoint.host.c_str(),
                    std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) {
    return Unavailable("cannot listen on {}: {}", endpoint.ToString(),
                       ::gai_strerror(error));
  }
  return Addresses(found, &::freeaddrinfo);
}

// Invalid, with errno set, when the address cannot be had.
UniqueFd ListenOn(const addrinfo& address) {
  UniqueFd fd(::socket(address.ai_family,
                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fd;
  const int on = 1;
  const int off = 0;
  // Connections of a predecessor may still be waiting for their end.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) == 0 &&
      ::listen(fd.get(), SOMAXCONN) == 0) {
    return fd;
  }
  const int error = errno;
  fd.reset();
  errno = error;
  return fd;
}

std::uint16_t PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t length = sizeof(address);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  // The port stands at the same place in both families.
  sockaddr_in ipv4 = {};
  std::memcpy(&ipv4, &address, sizeof(ipv4));
  return ntohs(ipv4.sin_port);
}

void SetPort(addrinfo& address, std::uint16_t port) {
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(address.ai_addr);
  ipv4->sin_port = htons(port);
}

bool MeansNoIpv6(int error_number) {
  return error_number == EAFNOSUPPORT || error_number == EADDRNOTAVAIL;
}

absl::Status CannotListen(const Endpoint& endpoint, int error_number) {
  const char* reason = std::strerror(error_number);
  if (error_number == EADDRINUSE) reason = "the address is in use";
  if (error_number == EADDRNOTAVAIL) {
    reason = "the address is not this machine's";
  }
  return Unavailable(
      "cannot listen on {}: {}; stop the other process, or choose another "
      "endpoint",
      endpoint.ToString(), reason);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(
    const Endpoint& endpoint, mode_t socket_mode) {
  std::unique_ptr<Listener> listener(new Listener(endpoint));
  if (endpoint.kind == Endpoint::Kind::kUnix) {
    FAMFS_ASSIGN_OR_RETURN(
        listener->file_,
        SocketFile::Listen(endpoint.path, SOCK_STREAM, socket_mode,
                           [&] { return CheckSocketPath(endpoint.path); }));
  } else {
    FAMFS_RETURN_IF_ERROR(listener->OpenTcp());
  }
  return listener;
}

absl::Status Listener::OpenTcp() {
  FAMFS_ASSIGN_OR_RETURN(const Addresses addresses, Resolve(endpoint_));
  int error = 0;
  for (addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    SetPort(*at, endpoint_.port);  // of the first one, if any was good
    UniqueFd fd = ListenOn(*at);
    if (!fd.valid()) {
      error = errno;
      // "localhost" may name ::1 on a machine without IPv6.
      if (at->ai_family == AF_INET6 && MeansNoIpv6(error)) continue;
      return CannotListen(endpoint_, error);
    }
    endpoint_.port = PortOf(fd.get());
    sockets_.push_back(std::move(fd));
  }
  if (!sockets_.empty()) return absl::OkStatus();
  if (endpoint_.host != kAnyAddress) return CannotListen(endpoint_, error);
  spdlog::info("this machine has no IPv6: {} is served on IPv4 alone",
               endpoint_.ToString());
  endpoint_.host = kAnyIpv4Address;
  return OpenTcp();
}

std::vector<int> Listener::fds() const {
  std::vector<int> fds;
  if (file_ != nullptr) fds.push_back(file_->fd());
  for (const UniqueFd& socket : sockets_) fds.push_back(socket.get());
  return fds;
}

bool Listener::OwnsSocket() const {
  return file_ == nullptr || file_->IsOurs();
}

absl::Status Listener::Reappear() {
  return file_ == nullptr ? absl::OkStatus() : file_->Reappear();
}

void Listener::RemoveSocket() {
  if (file_ != nullptr) file_->Remove();
}

}  // namespace famfs::csi
