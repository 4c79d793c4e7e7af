// A small HTTP server for what people and clusters ask a running program:
// /healthz, /readyz, /metrics. Plain HTTP, GET and HEAD only, one request a
// connection.
//
//   FAMFS_ASSIGN_OR_RETURN(
//       auto server, HttpServer::Start(endpoint, {{"/healthz", [&] {
//         return HttpAnswer::Of(prober.Probe(kHealthLimit));
//       }}}));
//
// Anybody may connect, and nobody keeps others out: requests have a limited
// time and are read by one thread (csi/telemetry/http_reception.h), answers by
// one each (csi/telemetry/http_serving.h), and where there are too many, those
// of the busiest address make room. So a health check is answered whoever else
// is there.
#pragma once

#include <memory>

#include "base/status.h"
#include "csi/rpc/endpoint.h"
#include "csi/telemetry/http_serving.h"

namespace famfs::csi {

class Acceptor;

class HttpServer {
 public:
  /// On a TCP endpoint. Serves from threads of its own when this returns.
  /// Errors: Listener::Open's, Acceptor::Start's, HttpReception::Start's.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const Endpoint& endpoint, HttpPages pages, const HttpLimits& limits = {});
  /// Waits for the pages that are being made.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The port is the real one even when 0 was asked for, and the host 0.0.0.0
  /// where [::] was and there is no IPv6.
  [[nodiscard]] const Endpoint& endpoint() const;

 private:
  HttpServer() = default;
  std::shared_ptr<HttpServing> serving_;
  std::unique_ptr<HttpReception> reception_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace famfs::csi
