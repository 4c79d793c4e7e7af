// A small HTTP server for what people and clusters ask a running program:
// /healthz, /readyz, /metrics. Plain HTTP, GET and HEAD only.
//
//   FAMFS_ASSIGN_OR_RETURN(
//       auto server, HttpServer::Start(endpoint, {{"/healthz", [&] {
//         return HttpAnswer::Of(prober.Probe(kHealthLimit));
//       }}}));
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "csi/endpoint.h"

namespace famfs::csi {

struct HttpAnswer {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;

  /// 200 "ok", or 503 and the message.
  static HttpAnswer Of(const absl::Status& status);
};

/// Path -> what answers it; called from several threads at once.
using HttpPages = std::map<std::string, std::function<HttpAnswer()>>;

class HttpServer {
 public:
  /// On a TCP endpoint. Serves from threads of its own when this returns.
  /// Unavailable: it cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const Endpoint& endpoint, HttpPages pages);
  /// Waits for the calls in flight.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The port is the real one even when 0 was asked for.
  [[nodiscard]] const Endpoint& endpoint() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace famfs::csi
