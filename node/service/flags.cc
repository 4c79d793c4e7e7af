#include "node/service/flags.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>

#include "csi/config/duration.h"
#include "csi/telemetry/health.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;

std::string HostName() {
  std::array<char, 256> name = {};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

absl::Status OverrideLog(const Flags& flags, csi::LogSection& log) {
  if (!flags.log_format.empty()) {
    FAMFS_ASSIGN_OR_RETURN(log.format, csi::ParseLogFormat(flags.log_format));
  }
  if (!flags.log_level.empty()) {
    FAMFS_ASSIGN_OR_RETURN(log.level, csi::ParseLogLevel(flags.log_level));
  }
  return absl::OkStatus();
}

absl::Status FindFusedProgram(std::string& path) {
  std::error_code error;
  if (path.empty()) {
    path = (fs::read_symlink("/proc/self/exe", error).parent_path() /
            "famfs-fused")
               .string();
  }
  if (::access(path.c_str(), X_OK) != 0) {
    return NotFound("{}: no program there; say where famfs-fused is by --fused",
                    path);
  }
  return absl::OkStatus();
}

}  // namespace

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config,
                 "The driver's YAML file (docs/configuration.md)")
      ->required();
  app.add_option("--endpoint", flags.endpoint,
                 "unix:///path/csi.sock or tcp://host:port; replaces "
                 "driver.endpoint");
  app.add_option("--node-id", flags.node_id,
                 "Name of this node in the cluster; replaces driver.nodeId "
                 "(default: the host's name)");
  app.add_option("--kubelet-path", flags.kubelet_path,
                 "kubelet's directory; replaces driver.kubeletPath. Instances "
                 "are mounted below its plugins/ directory");
  app.add_option("--fused", flags.fused,
                 "Path of famfs-fused (default: beside this program)");
  app.add_option("--fused-spawner", flags.fused_spawner,
                 "Socket of a famfs-fused-spawner that starts famfs-fused in "
                 "another container, where it outlives this program's");
  app.add_option("--log-format", flags.log_format, "text or json");
  app.add_option("--log-level", flags.log_level,
                 "trace, debug, info, warning or error");
  app.add_option("--registration", flags.registration,
                 "Who makes the driver known to kubelet: self (this program, "
                 "by KUBELET/plugins_registry), sidecar (a "
                 "node-driver-registrar beside it) or none")
      ->check(CLI::IsMember({"self", "sidecar", "none"}))
      ->capture_default_str();
  app.add_option("--wait-for-predecessor", flags.wait_for_predecessor,
                 "How long to wait for another process that still listens on "
                 "our sockets, such as 30s (default: 30s with a registration, "
                 "else not at all)");
  app.add_option("--pool-wait", flags.pool_wait,
                 "How long the registration waits for pools that do not open "
                 "yet, such as those of a controller that starts too")
      ->capture_default_str();
  app.add_option("--http-endpoint", flags.http_endpoint,
                 "tcp://host:port of /healthz, /readyz and /metrics (default: "
                 "none)");
  app.set_version_flag("--version", FAMFS_VERSION);
}

absl::StatusOr<csi::Config> LoadSettings(const Flags& flags) {
  FAMFS_ASSIGN_OR_RETURN(csi::Config config, csi::LoadConfig(flags.config));
  csi::DriverSection& driver = config.driver;
  if (!flags.endpoint.empty()) driver.endpoint = flags.endpoint;
  if (driver.endpoint.empty()) {
    return InvalidArgument(
        "no endpoint: set driver.endpoint in {} or use --endpoint",
        flags.config);
  }
  if (!flags.node_id.empty()) driver.node_id = flags.node_id;
  if (driver.node_id.empty()) driver.node_id = HostName();
  FAMFS_RETURN_IF_ERROR(csi::CheckNodeId(driver.node_id));
  if (!flags.kubelet_path.empty()) {
    FAMFS_ASSIGN_OR_RETURN(driver.kubelet_path,
                           NormalizePath(flags.kubelet_path));
  }
  if (!flags.fused.empty()) config.node.fused_path = flags.fused;
  if (!flags.fused_spawner.empty()) {
    FAMFS_ASSIGN_OR_RETURN(config.node.fused_spawner,
                           NormalizePath(flags.fused_spawner));
  } else {
    FAMFS_RETURN_IF_ERROR(FindFusedProgram(config.node.fused_path));
  }
  FAMFS_RETURN_IF_ERROR(OverrideLog(flags, config.log));
  return config;
}

absl::StatusOr<RegistrationSettings> LoadRegistration(const Flags& flags) {
  FAMFS_RETURN_IF_ERROR(csi::CheckHttpEndpoint(flags.http_endpoint));
  RegistrationSettings settings;
  if (flags.registration == "self") settings.mode = RegistrationMode::kSelf;
  if (flags.registration == "sidecar") {
    settings.mode = RegistrationMode::kSidecar;
  }
  if (settings.mode != RegistrationMode::kNone) {
    settings.predecessor_wait = std::chrono::seconds(30);
  }
  if (!flags.wait_for_predecessor.empty()) {
    FAMFS_ASSIGN_OR_RETURN(settings.predecessor_wait,
                           csi::ParseDuration(flags.wait_for_predecessor));
  }
  FAMFS_ASSIGN_OR_RETURN(settings.pool_wait,
                         csi::ParseDuration(flags.pool_wait));
  return settings;
}

NodeOptions ToNodeOptions(const csi::Config& config,
                          const RegistrationSettings& registration) {
  NodeOptions options;
  options.driver_name = config.driver.name;
  options.node_id = config.driver.node_id;
  options.kubelet_path = config.driver.kubelet_path;
  options.fused_program = config.node.fused_path;
  options.fused_spawner = config.node.fused_spawner;
  options.log_format =
      config.log.format == csi::LogFormat::kJson ? "json" : "text";
  options.pools = config.pools;
  options.needs_shared_mount = registration.mode != RegistrationMode::kNone;
  if (registration.mode == RegistrationMode::kSidecar) {
    options.info_patience = registration.pool_wait;
  }
  return options;
}

}  // namespace famfs::node
