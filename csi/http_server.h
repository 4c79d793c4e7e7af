// A small HTTP server for what people and clusters ask a running program:
// /healthz, /readyz, /metrics. Plain HTTP, GET and HEAD only, one request a
// connection.
//
//   FAMFS_ASSIGN_OR_RETURN(
//       auto server, HttpServer::Start(endpoint, {{"/healthz", [&] {
//         return HttpAnswer::Of(prober.Probe(kHealthLimit));
//       }}}));
//
// Anybody may connect, and nobody keeps others out: a connection has a thread
// of its own and a limited time, and when there are kMaxHttpConnections, each
// new one pushes out the oldest, which is the slowest. So a health check is
// answered whoever else is there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "csi/endpoint.h"
#include "csi/http_connection.h"

namespace famfs::csi {

class Acceptor;

inline constexpr std::size_t kMaxHttpConnections = 32;

/// Path -> what answers it; called from several threads at once.
using HttpPages = std::map<std::string, std::function<HttpAnswer()>>;

class HttpServer {
 public:
  /// On a TCP endpoint. Serves from threads of its own when this returns.
  /// Errors: Listener::Open's, Acceptor::Start's.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const Endpoint& endpoint, HttpPages pages);
  /// Waits for the pages that are being made.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The port is the real one even when 0 was asked for, and the host 0.0.0.0
  /// where [::] was and there is no IPv6.
  [[nodiscard]] const Endpoint& endpoint() const;

 private:
  class Connections;
  HttpServer() = default;
  std::shared_ptr<Connections> connections_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace famfs::csi
