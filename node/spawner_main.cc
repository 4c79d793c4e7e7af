// famfs-fused-spawner: starts famfs-fused for the node plugin
// (node/fused/spawner.h).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/descriptors.h"
#include "base/text.h"
#include "csi/config/config.h"
#include "csi/telemetry/logging.h"
#include "node/fused/confinement.h"
#include "node/fused/spawner.h"

namespace {

struct Flags {
  std::string socket;
  std::string fused;
  std::string log_format = "text";
  std::string log_level = "info";
};

absl::Status Run(Flags flags) {
  std::signal(SIGPIPE, SIG_IGN);
  famfs::RaiseDescriptorLimit();
  famfs::csi::LogSection log;
  FAMFS_ASSIGN_OR_RETURN(log.format,
                         famfs::csi::ParseLogFormat(flags.log_format));
  FAMFS_ASSIGN_OR_RETURN(log.level, famfs::csi::ParseLogLevel(flags.log_level));
  famfs::csi::SetUpLogging(log, "famfs-fused-spawner");
  famfs::node::ConfineOrWarn();
  if (flags.fused.empty()) {
    std::error_code error;
    flags.fused =
        std::filesystem::read_symlink("/proc/self/exe", error).parent_path() /
        "famfs-fused";
  }
  if (::access(flags.fused.c_str(), X_OK) != 0) {
    return famfs::NotFound(
        "{}: no program there; say where famfs-fused is by --fused",
        flags.fused);
  }
  FAMFS_ASSIGN_OR_RETURN(const auto spawner, famfs::node::Spawner::Start(
                                                 flags.socket, flags.fused));
  spawner->Run();
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app{
      "Starts famfs-fused for famfs-csi-node --fused-spawner, as its children, "
      "in a container of their own: they go on while the plugin's container is "
      "replaced. They end with this program (SIGTERM) and leave their mounts."};
  app.add_option("--socket", flags.socket,
                 "Where to take orders: a Unix socket, mode 0600")
      ->required();
  app.add_option("--fused", flags.fused,
                 "Path of famfs-fused (default: beside this program)");
  app.add_option("--log-format", flags.log_format, "text or json");
  app.add_option("--log-level", flags.log_level,
                 "trace, debug, info, warning or error");
  app.set_version_flag("--version", FAMFS_VERSION);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "famfs-fused-spawner: %s\n",
               famfs::PrintableLine(famfs::Message(status)).c_str());
  return 1;
}
