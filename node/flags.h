// The command line of famfs-csi-node and what it changes in the configuration.
#pragma once

#include <string>

#include "base/status.h"
#include "csi/config.h"
#include "node/node_service.h"

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
};

/// `flags` outlives the parsing.
void AddFlags(CLI::App& app, Flags& flags);

/// The configuration with the flags in place, every value checked; the node id
/// is the host's name and famfs-fused the one beside this program when nothing
/// says otherwise. NotFound: no such famfs-fused.
absl::StatusOr<csi::Config> LoadSettings(const Flags& flags);

NodeOptions ToNodeOptions(const csi::Config& config);

}  // namespace famfs::node
