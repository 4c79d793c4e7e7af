// A gRPC server on one endpoint. A process may have several (csi.sock and
// kubelet's registration socket).
//
//   ShutdownSignal signals;                     // first, before any thread
//   FAMFS_ASSIGN_OR_RETURN(auto server, GrpcServer::Start(endpoint, {&a, &b}));
//   signals.Wait();
//   server->Stop();
//
// Connections come by way of an Acceptor (csi/rpc/acceptor.h), a Unix socket's
// name is a SocketFile (runtime/socket_file.h): a stale socket is replaced, a
// living one is never, and Stop() takes the name away only while it is still
// ours.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "csi/rpc/acceptor.h"
#include "csi/rpc/endpoint.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace famfs::csi {

struct ServerOptions {
  /// How long Stop() lets calls in flight finish before it cancels them.
  std::chrono::milliseconds drain_limit{10'000};
  int max_message_bytes = 4 << 20;  // received and sent
  mode_t socket_mode = 0600;
  AcceptLimits accept{};
};

class GrpcServer {
 public:
  /// Binds, and serves from gRPC's own threads when this returns. The services
  /// are not owned and outlive the server. Errors: Listener::Open's,
  /// Acceptor::Start's.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const Endpoint& endpoint, const std::vector<grpc::Service*>& services,
      const ServerOptions& options = {});

  ~GrpcServer();  // Stop()
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  /// The endpoint served; the port is the real one even when 0 was asked for.
  [[nodiscard]] const Endpoint& endpoint() const;
  /// Whether the socket's path is still ours (always, for TCP): what a health
  /// check asks.
  [[nodiscard]] bool OwnsSocket() const;

  /// Lets who watches the directory see the socket appear once more;
  /// connections go on. FailedPrecondition: the path is not ours any more.
  [[nodiscard]] absl::Status Reappear();

  /// Takes no new calls, waits for those in flight up to the drain limit,
  /// cancels the rest, removes the socket. Once; later calls do nothing. Not to
  /// be called from a service's method.
  void Stop();

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace famfs::csi
