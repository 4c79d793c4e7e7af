// famfs-csi-node: the Node service of the driver.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "csi/identity.h"
#include "csi/logging.h"
#include "csi/server.h"
#include "csi/signals.h"
#include "node/flags.h"
#include "node/node_service.h"

namespace famfs::node {
namespace {

absl::Status Run(const Flags& flags) {
  // A famfs-fused that outlives us inherits this: its stderr may have no
  // reader.
  std::signal(SIGPIPE, SIG_IGN);
  csi::ShutdownSignal signals;
  FAMFS_ASSIGN_OR_RETURN(const csi::Config config, LoadSettings(flags));
  csi::SetUpLogging(config.log, "famfs-csi-node");
  FAMFS_ASSIGN_OR_RETURN(const csi::Endpoint endpoint,
                         csi::ParseEndpoint(config.driver.endpoint));
  // Before anything is mounted: a second plugin must change nothing.
  if (endpoint.kind == csi::Endpoint::Kind::kUnix) {
    FAMFS_RETURN_IF_ERROR(csi::CheckSocketPath(endpoint.path));
  }
  FAMFS_ASSIGN_OR_RETURN(const auto node,
                         NodeService::Start(ToNodeOptions(config)));
  const auto identity = csi::MakeIdentityService(
      {.driver_name = config.driver.name, .version = FAMFS_VERSION});
  FAMFS_ASSIGN_OR_RETURN(
      const auto server,
      csi::GrpcServer::Start(endpoint, {identity.get(), node.get()}));
  spdlog::info("{} {} serves node {} on {}", config.driver.name, FAMFS_VERSION,
               config.driver.node_id, config.driver.endpoint);
  spdlog::info("signal {}: stopping; mounts and famfs-fused stay",
               signals.Wait());
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
               std::string(famfs::Message(status)).c_str());
  return 1;
}
