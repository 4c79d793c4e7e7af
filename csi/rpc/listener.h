// Sockets that listen on an endpoint: a Unix socket, or one for each address of
// a TCP endpoint's host. tcp://[::]:PORT is every address of both IPv4 and
// IPv6, and every IPv4 address on a machine without IPv6.
#pragma once

#include <sys/types.h>

#include <memory>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "csi/rpc/endpoint.h"
#include "runtime/socket_file.h"

namespace famfs::csi {

class Listener {
 public:
  /// Non-blocking; connections queue from now on. `socket_mode` is a Unix
  /// socket's. Errors: CheckSocketPath's; Unavailable when the socket cannot be
  /// made, or a TCP address cannot be bound, with the reason.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(
      const Endpoint& endpoint, mode_t socket_mode = 0600);

  /// The endpoint served; the port is the real one even when 0 was asked for.
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] std::vector<int> fds() const;

  /// As SocketFile's; of a TCP endpoint always true, always OK, and nothing.
  [[nodiscard]] bool OwnsSocket() const;
  [[nodiscard]] absl::Status Reappear();
  void RemoveSocket();

 private:
  explicit Listener(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  absl::Status OpenTcp();

  Endpoint endpoint_;
  std::unique_ptr<SocketFile> file_;  // of a Unix socket
  std::vector<UniqueFd> sockets_;     // of a TCP endpoint
};

}  // namespace famfs::csi
