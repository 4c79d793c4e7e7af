#include "csi/telemetry/health.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "csi/rpc/probe.h"

namespace famfs::csi {
namespace {

// Whoever asks waits a second, as a rule.
constexpr std::chrono::milliseconds kProbeLimit{900};

}  // namespace

absl::Status CheckHttpEndpoint(const std::string& http_endpoint) {
  if (http_endpoint.empty()) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(http_endpoint));
  if (endpoint.kind == Endpoint::Kind::kTcp) return absl::OkStatus();
  return InvalidArgument(
      "the HTTP endpoint {} is no TCP address; write tcp://[::]:9810",
      http_endpoint);
}

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttp(HealthOptions options) {
  if (options.http_endpoint.empty()) return nullptr;
  FAMFS_RETURN_IF_ERROR(CheckHttpEndpoint(options.http_endpoint));
  FAMFS_ASSIGN_OR_RETURN(const Endpoint endpoint,
                         ParseEndpoint(options.http_endpoint));
  HttpPages pages = std::move(options.pages);
  pages["/healthz"] = [prober = std::make_shared<Prober>(options.csi_endpoint),
                       live = std::move(options.live)] {
    absl::Status status = prober->Probe(kProbeLimit);
    if (status.ok() && live) status = live();
    return HttpAnswer::Of(status);
  };
  pages["/readyz"] = [ready = std::move(options.ready)] {
    return HttpAnswer::Of(ready());
  };
  FAMFS_ASSIGN_OR_RETURN(auto server,
                         HttpServer::Start(endpoint, std::move(pages)));
  spdlog::info("HTTP on {}", server->endpoint().ToString());
  return server;
}

}  // namespace famfs::csi
