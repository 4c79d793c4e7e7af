// famfs-csi-controller: the Controller service of the driver.
#include <grpcpp/impl/codegen/service_type.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/descriptors.h"
#include "base/text.h"
#include "controller/controller_service.h"
#include "controller/last_seen.h"
#include "controller/pool_metrics.h"
#include "controller/questions.h"
#include "csi/config/duration.h"
#include "csi/process/confinement.h"
#include "csi/process/end_limit.h"
#include "csi/process/signals.h"
#include "csi/rpc/identity.h"
#include "csi/rpc/server.h"
#include "csi/telemetry/health.h"
#include "csi/telemetry/logging.h"
#include "csi/telemetry/metrics.h"

namespace famfs::controller {
namespace {

struct Flags {
  std::string config;
  std::string endpoint;
  std::string log_format;
  std::string log_level;
  std::string reclaim_interval;
  std::string http_endpoint;
  std::string query_endpoint;
};

absl::StatusOr<csi::Config> LoadSettings(const Flags& flags) {
  FAMFS_ASSIGN_OR_RETURN(csi::Config config, csi::LoadConfig(flags.config));
  if (!flags.endpoint.empty()) config.driver.endpoint = flags.endpoint;
  if (!flags.log_format.empty()) {
    FAMFS_ASSIGN_OR_RETURN(config.log.format,
                           csi::ParseLogFormat(flags.log_format));
  }
  if (!flags.log_level.empty()) {
    FAMFS_ASSIGN_OR_RETURN(config.log.level,
                           csi::ParseLogLevel(flags.log_level));
  }
  if (!flags.reclaim_interval.empty()) {
    FAMFS_ASSIGN_OR_RETURN(config.controller.reclaim_interval,
                           csi::ParseDuration(flags.reclaim_interval));
  }
  FAMFS_RETURN_IF_ERROR(csi::CheckHttpEndpoint(flags.http_endpoint));
  if (!flags.query_endpoint.empty()) {
    FAMFS_RETURN_IF_ERROR(csi::ParseEndpoint(flags.query_endpoint).status());
  }
  if (config.driver.endpoint.empty()) {
    return InvalidArgument(
        "no endpoint: set driver.endpoint in {} or use --endpoint",
        flags.config);
  }
  return config;
}

// Null: none was asked for.
absl::StatusOr<std::unique_ptr<csi::UnaryServer>> StartQuestions(
    const std::string& text, csi::UnaryMethods methods) {
  if (text.empty()) return nullptr;
  FAMFS_ASSIGN_OR_RETURN(const csi::Endpoint endpoint,
                         csi::ParseEndpoint(text));
  FAMFS_ASSIGN_OR_RETURN(auto server,
                         csi::UnaryServer::Start(endpoint, std::move(methods)));
  spdlog::info("questions on {}", server->endpoint().ToString());
  return server;
}

// Calls under way have so long once the end has begun; then all has.
constexpr std::chrono::seconds kDrainLimit{5};
constexpr std::chrono::seconds kEndLimit{9};

/// Until a signal comes.
absl::Status Serve(const Flags& flags, const csi::Config& config,
                   csi::ShutdownSignal& signals, csi::EndLimit& end_limit,
                   PoolSet& pools) {
  FAMFS_ASSIGN_OR_RETURN(const csi::Endpoint endpoint,
                         csi::ParseEndpoint(config.driver.endpoint));
  csi::Metrics metrics("famfs-csi-controller", config.driver.name);
  Provisioner provisioner(pools);
  ControllerService controller(config, provisioner);
  const auto identity = csi::MakeIdentityService(
      {.driver_name = config.driver.name, .version = FAMFS_VERSION});
  FAMFS_ASSIGN_OR_RETURN(
      const auto server,
      csi::GrpcServer::Start(endpoint, {identity.get(), &controller},
                             {.drain_limit = kDrainLimit}));
  spdlog::info("{} {} serves the controller on {}", config.driver.name,
               FAMFS_VERSION, config.driver.endpoint);
  LastSeen last_seen(pools);
  const Answers answers(config, last_seen, csi::Caller::kAnybody);
  const auto name = csi::MakeIdentityService({.driver_name = config.driver.name,
                                              .version = FAMFS_VERSION,
                                              .caller = csi::Caller::kAnybody});
  FAMFS_ASSIGN_OR_RETURN(
      auto questions,
      StartQuestions(flags.query_endpoint, Questions(answers, *name)));
  metrics.Add([&pools](csi::Exposition& page) { CollectPools(pools, page); });
  FAMFS_ASSIGN_OR_RETURN(
      const auto http,
      csi::StartHttp(
          {.http_endpoint = flags.http_endpoint,
           .csi_endpoint = server->endpoint(),
           .ready = [&pools] { return pools.CheckAllOpen(); },
           .pages = {{"/metrics", [&metrics] { return metrics.Page(); }}}}));
  spdlog::info("signal {}: stopping", signals.Wait());
  end_limit.Begin(kEndLimit);
  questions.reset();
  pools.StopServing();
  server->Stop();
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags) {
  csi::ShutdownSignal signals;
  RaiseDescriptorLimit();
  FAMFS_ASSIGN_OR_RETURN(const csi::Config config, LoadSettings(flags));
  csi::SetUpLogging(config.log, "famfs-csi-controller");
  // An extent that a server has open is removed with this one alone.
  csi::ConfineOrWarn({.capabilities = 1ULL << CAP_LINUX_IMMUTABLE});
  std::weak_ptr<PoolSet> watched;
  FAMFS_ASSIGN_OR_RETURN(const auto end_limit, csi::EndLimit::Start([&watched] {
                           const auto pools = watched.lock();
                           return pools == nullptr
                                      ? "the pools are being closed"
                                      : pools->UnderWay();
                         }));
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<PoolSet> pools,
                         PoolSet::Start(config));
  watched = pools;
  absl::Status status = Serve(flags, config, signals, *end_limit, *pools);
  // Where it failed, too: a pool that hangs is not waited for.
  end_limit->Begin(kEndLimit);
  pools->Join();
  pools.reset();
  return status;
}

}  // namespace
}  // namespace famfs::controller

int main(int argc, char** argv) {
  famfs::controller::Flags flags;
  CLI::App app{
      "The controller of the famfs CSI driver: it owns the log of each pool in "
      "its configuration and makes and deletes volumes there. Deleted space is "
      "given back in the background: when every host has let go of it (`famfs "
      "hosts`, `famfs evict`) it is zeroed and free again. One process at a "
      "time may write a pool; the second says who is in the way."};
  app.add_option("--config", flags.config,
                 "The driver's YAML file (docs/configuration.md)")
      ->required();
  app.add_option("--endpoint", flags.endpoint,
                 "unix:///path/csi.sock or tcp://host:port; replaces "
                 "driver.endpoint");
  app.add_option("--log-format", flags.log_format, "text or json");
  app.add_option("--log-level", flags.log_level,
                 "trace, debug, info, warning or error");
  app.add_option("--reclaim-interval", flags.reclaim_interval,
                 "How often deleted volumes that wait for hosts are looked at "
                 "again, such as 10s; replaces controller.reclaimInterval");
  app.add_option("--http-endpoint", flags.http_endpoint,
                 "tcp://host:port of /healthz, /readyz and /metrics (default: "
                 "none)");
  app.add_option("--query-endpoint", flags.query_endpoint,
                 "tcp://host:port where anybody may ask which volumes there "
                 "are and how much room: read-only, with the volumes' names "
                 "(default: none)");
  app.set_version_flag("--version", FAMFS_VERSION);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = famfs::controller::Run(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "famfs-csi-controller: %s\n",
               famfs::PrintableLine(famfs::Message(status)).c_str());
  return 1;
}
