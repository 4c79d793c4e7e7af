// famfs-csi-node: the Node service of the driver.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/descriptors.h"
#include "base/text.h"
#include "csi/process/end_limit.h"
#include "csi/process/signals.h"
#include "csi/rpc/identity.h"
#include "csi/rpc/server.h"
#include "csi/telemetry/health.h"
#include "csi/telemetry/logging.h"
#include "csi/telemetry/metrics.h"
#include "node/fused/confinement.h"
#include "node/registration/registration.h"
#include "node/service/flags.h"
#include "node/service/node_service.h"

namespace famfs::node {
namespace {

// The sockets that this plugin will serve are nobody's. A predecessor that is
// being ended (a pod deleted by force) may take its time.
absl::Status AwaitSockets(const csi::Endpoint& endpoint,
                          const std::string& registration_socket,
                          const RegistrationSettings& settings, int stop_fd) {
  if (endpoint.kind == csi::Endpoint::Kind::kUnix) {
    FAMFS_RETURN_IF_ERROR(csi::AwaitSocketPath(
        endpoint.path, settings.predecessor_wait, stop_fd));
  } else if (settings.mode == RegistrationMode::kSelf) {
    return InvalidArgument(
        "--registration self needs a Unix socket, since kubelet calls no "
        "other: use --endpoint unix://KUBELET/plugins/DRIVER/csi.sock");
  }
  if (settings.mode != RegistrationMode::kSelf) return absl::OkStatus();
  std::error_code error;
  if (!std::filesystem::is_directory(
          std::filesystem::path(registration_socket).parent_path(), error)) {
    return absl::OkStatus();  // made when its time comes
  }
  return csi::AwaitSocketPath(registration_socket, settings.predecessor_wait,
                              stop_fd);
}

// KUBELET/plugins/DRIVER is ours to make where csi.sock is to stand there: on a
// new node nobody else has. A kubelet directory that is missing is told later,
// with what to do.
absl::Status MakePluginDirectory(const csi::Config& config,
                                 const csi::Endpoint& endpoint) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path kubelet = config.driver.kubelet_path;
  const fs::path plugin = kubelet / "plugins" / config.driver.name;
  if (fs::path(endpoint.path).parent_path() != plugin ||
      !fs::is_directory(kubelet, error)) {
    return absl::OkStatus();
  }
  fs::create_directories(plugin, error);
  if (error) return ErrnoError(error.value(), plugin.string());
  return absl::OkStatus();
}

// Null: somebody else makes the driver known.
absl::StatusOr<std::unique_ptr<Registration>> StartRegistration(
    const csi::Config& config, const RegistrationSettings& settings,
    const std::string& csi_socket, const NodeService& node) {
  if (settings.mode != RegistrationMode::kSelf) return nullptr;
  return Registration::Start(
      {.driver_name = config.driver.name,
       .csi_socket = csi_socket,
       .socket =
           RegistrationSocket(config.driver.kubelet_path, config.driver.name),
       .pool_patience = settings.pool_wait,
       .open_pools = [&node] { return node.pools().open_pools(); },
       .closed_pools = [&node] { return node.pools().closed_pools(); },
       .pools = config.pools.size()});
}

// All but the HTTP server outlive it. `registration` may be null.
absl::StatusOr<std::unique_ptr<csi::HttpServer>> StartNodeHttp(
    const Flags& flags, const csi::GrpcServer& server, const NodeService& node,
    const Registration* registration, csi::Metrics& metrics) {
  metrics.Add([&node](csi::Exposition& page) { node.Collect(page); });
  if (registration != nullptr) {
    metrics.Add([registration](csi::Exposition& page) {
      CollectRegistration(registration->Report(), page);
    });
  }
  return csi::StartHttp(
      {.http_endpoint = flags.http_endpoint,
       .csi_endpoint = server.endpoint(),
       .live =
           [registration] {
             return registration == nullptr ? absl::OkStatus()
                                            : registration->Health();
           },
       .ready = [&node] { return node.pools().CheckAllOpen(); },
       .pages = {{"/metrics", [&metrics] { return metrics.Page(); }}}});
}

constexpr std::chrono::seconds kEndLimit{6};

absl::Status Run(const Flags& flags) {
  // A famfs-fused that outlives us inherits this: its stderr may have no
  // reader.
  std::signal(SIGPIPE, SIG_IGN);
  csi::ShutdownSignal signals;
  RaiseDescriptorLimit();
  FAMFS_ASSIGN_OR_RETURN(const csi::Config config, LoadSettings(flags));
  csi::SetUpLogging(config.log, "famfs-csi-node");
  ConfineOrWarn();
  FAMFS_ASSIGN_OR_RETURN(const csi::Endpoint endpoint,
                         csi::ParseEndpoint(config.driver.endpoint));
  FAMFS_ASSIGN_OR_RETURN(const RegistrationSettings settings,
                         LoadRegistration(flags));
  csi::Metrics metrics("famfs-csi-node", config.driver.name);
  FAMFS_RETURN_IF_ERROR(MakePluginDirectory(config, endpoint));
  // Before anything is mounted: a second plugin must change nothing.
  FAMFS_RETURN_IF_ERROR(AwaitSockets(
      endpoint,
      RegistrationSocket(config.driver.kubelet_path, config.driver.name),
      settings, signals.fd()));
  std::weak_ptr<NodeService> watched;
  FAMFS_ASSIGN_OR_RETURN(
      const auto end_limit, csi::EndLimit::Start([&watched]() -> std::string {
        const auto node = watched.lock();
        if (node == nullptr) return "the pools are being closed";
        return std::string(Message(node->pools().CheckAllOpen()));
      }));
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<NodeService> node,
                         NodeService::Start(ToNodeOptions(config, settings)));
  watched = node;
  const auto identity = csi::MakeIdentityService(
      {.driver_name = config.driver.name, .version = FAMFS_VERSION});
  FAMFS_ASSIGN_OR_RETURN(
      const auto server,
      csi::GrpcServer::Start(endpoint, {identity.get(), node.get()}));
  spdlog::info("{} {} serves node {} on {}", config.driver.name, FAMFS_VERSION,
               config.driver.node_id, config.driver.endpoint);
  FAMFS_ASSIGN_OR_RETURN(
      const std::unique_ptr<Registration> registration,
      StartRegistration(config, settings, endpoint.path, *node));
  FAMFS_ASSIGN_OR_RETURN(
      const auto http,
      StartNodeHttp(flags, *server, *node, registration.get(), metrics));
  spdlog::info("signal {}: stopping; mounts and famfs-fused stay",
               signals.Wait());
  // Closing a device that hangs may take for ever.
  end_limit->Begin(kEndLimit);
  // First: kubelet calls nobody who is about to go.
  if (registration != nullptr) registration->Stop();
  node->Interrupt();
  server->Stop();
  return absl::OkStatus();
}

}  // namespace
}  // namespace famfs::node

int main(int argc, char** argv) {
  famfs::node::Flags flags;
  CLI::App app{
      "The node plugin of the famfs CSI driver: mounts volumes for the pods of "
      "this machine. It keeps one famfs-fused running for each pool, and ends "
      "without unmounting anything: the next one takes over. Needs root and "
      "/dev/fuse."};
  famfs::node::AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = famfs::node::Run(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "famfs-csi-node: %s\n",
               famfs::PrintableLine(famfs::Message(status)).c_str());
  return 1;
}
