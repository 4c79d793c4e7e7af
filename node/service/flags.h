// The command line of famfs-csi-node and what it changes in the configuration.
#pragma once

#include <chrono>
#include <string>

#include "base/status.h"
#include "csi/config/config.h"
#include "node/service/node_service.h"

namespace CLI {
class App;
}  // namespace CLI

namespace famfs::node {

struct Flags {
  std::string config;
  std::string endpoint;
  std::string node_id;
  std::string kubelet_path;
  std::string fused;
  std::string fused_spawner;
  std::string log_format;
  std::string log_level;
  std::string registration = "none";
  std::string wait_for_predecessor;
  std::string pool_wait = "30s";
  std::string http_endpoint;
};

/// Who makes the driver known to kubelet.
enum class RegistrationMode {
  kNone,     // nobody: tests, or a plugin that is called by hand
  kSelf,     // this program (node/registration/registration.h)
  kSidecar,  // a node-driver-registrar beside it
};

/// The flags that are no part of the configuration.
struct RegistrationSettings {
  RegistrationMode mode = RegistrationMode::kNone;
  /// How long sockets may still belong to a predecessor that is being ended.
  std::chrono::milliseconds predecessor_wait{0};
  /// How long the registration waits for pools that do not open yet.
  std::chrono::milliseconds pool_wait{0};
};

/// `flags` outlives the parsing.
void AddFlags(CLI::App& app, Flags& flags);

/// The configuration with the flags in place, every value checked; the node id
/// is the host's name and famfs-fused the one beside this program when nothing
/// says otherwise. NotFound: no such famfs-fused.
absl::StatusOr<csi::Config> LoadSettings(const Flags& flags);

/// InvalidArgument: a duration or an HTTP endpoint that is none.
absl::StatusOr<RegistrationSettings> LoadRegistration(const Flags& flags);

NodeOptions ToNodeOptions(const csi::Config& config,
                          const RegistrationSettings& registration);

}  // namespace famfs::node
