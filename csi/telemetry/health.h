// The HTTP endpoint that controller and node share: what is asked there, and
// how long an answer may take.
//
// /healthz: Probe answers over the CSI endpoint, as a caller would find it, and
// the program's own check holds. A restart may help when it does not.
//
// /readyz: every pool is open. No restart helps where one is not, and calls for
// other pools are served.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "csi/telemetry/http_server.h"

namespace famfs::csi {

struct HealthOptions {
  std::string http_endpoint;  // as the flag has it; empty: no server
  Endpoint csi_endpoint;      // as the GrpcServer tells it
  /// Of /healthz beside Probe. May be empty. Neither ever waits.
  std::function<absl::Status()> live{};
  std::function<absl::Status()> ready;
  HttpPages pages{};  // further ones
};

/// What the flag has: empty, or a TCP endpoint. InvalidArgument.
[[nodiscard]] absl::Status CheckHttpEndpoint(const std::string& http_endpoint);

/// Null: none was asked for. InvalidArgument:
/// CheckHttpEndpoint's; Unavailable: HttpServer::Start's.
absl::StatusOr<std::unique_ptr<HttpServer>> StartHttp(HealthOptions options);

}  // namespace famfs::csi
