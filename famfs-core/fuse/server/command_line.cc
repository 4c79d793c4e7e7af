#include "fuse/server/command_line.h"

#include <CLI/CLI.hpp>
#include <map>

namespace famfs {
namespace {

constexpr const char* kFooter = R"(
DEVICE is emulated:DIR, image:FILE, or the path of one.

Data paths: passthrough (an emulated device on tmpfs and Linux 6.9 or later: all
mounts on this machine share one copy), copy (any device: this mount's page
cache), auto (the best that works; which one is logged). A path that is named is
served or refused, never replaced.

The server runs in the foreground and leaves its mount behind when it ends, so
that a supervisor can replace it: mapped memory goes on, new opens fail with
ENOTCONN until then. Unmount with umount(8) or `famfs umount`.

Exit codes: 0 unmounted, or ended by SIGTERM or SIGINT; 1 failed; 2 wrong command
line; 3 the device cannot be opened or holds no sound instance; 4 the data path
cannot be served here; 5 the mount point cannot be used; 6 the lock file is held
by another process.)";

/// Of the command line: a text that names no device is an error of it.
DeviceSpec ParseDevice(const std::string& option, const std::string& text) {
  auto spec = DeviceSpec::Parse(text);
  if (spec.ok()) return *std::move(spec);
  throw CLI::ValidationError(option, std::string(Message(spec.status())));
}

void AddDevices(CLI::App& app, FusedCommandLine& options) {
  app.add_option_function<std::string>(
         "DEVICE",
         [&options](const std::string& text) {
           options.device = ParseDevice("DEVICE", text);
         },
         "The instance's primary device")
      ->required();
  app.add_option_function<std::vector<std::string>>(
         "--device",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             options.others.push_back(ParseDevice("--device", text));
           }
         },
         "Another device of the instance; may be repeated. Which one it is "
         "says the device itself; what is missing is looked for again when a "
         "file on it is opened")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("DEVICE");
  app.add_option("--device-list", options.device_list,
                 "A file that names further devices, one a line. It is read "
                 "whenever a device is missing, so one can be named while the "
                 "mount is served")
      ->type_name("FILE");
}

void AddMount(CLI::App& app, ServerOptions& server) {
  app.add_option("MOUNTPOINT", server.mount_point,
                 "A directory that is not a mount point yet")
      ->required();
  const std::map<std::string, DataPath> paths = {
      {"auto", DataPath::kAuto},
      {"fmap", DataPath::kFmap},
      {"passthrough", DataPath::kPassthrough},
      {"copy", DataPath::kCopy}};
  app.add_option("--data-path", server.data_path,
                 "auto, passthrough, copy or fmap (default auto)")
      ->transform(CLI::Transformer(paths).description(""))
      ->type_name("PATH");
  app.add_option(
      "--fs-name", server.source,
      "What mountinfo shows as the mount's source (default: DEVICE)");
  app.add_option_function<unsigned>(
         "--poll-ms",
         [&server](const unsigned& ms) {
           server.poll = std::chrono::milliseconds(ms);
         },
         "How often the log is looked at for deletions (default 200)")
      ->check(CLI::Range(1, 60'000));
  app.add_option("--threads", server.threads,
                 "Threads that answer the kernel (default 4)")
      ->check(CLI::Range(1, 256));
}

void AddSupervision(CLI::App& app, FusedCommandLine& options) {
  ServerOptions& server = options.server;
  app.add_flag_callback(
      "--foreground", [] {}, "Stay in the foreground (it always does)");
  CLI::Option* const ready =
      app.add_option(
             "--ready-fd", options.ready_fd,
             "Write \"ready PATH\" (or \"error: ...\") to this descriptor")
          ->check(CLI::Range(0, 1 << 20))
          ->type_name("FD");
  app.add_option("--fuse-fd", server.fuse_fd,
                 "An open /dev/fuse, for a process that may not open it")
      ->check(CLI::Range(0, 1 << 20))
      ->type_name("FD");
  app.add_option("--lock-file", options.lock_file,
                 "Hold a flock on this file for life, with the process' id");
  app.add_option("--memory-report", server.memory_report,
                 "Write here, for each file, how many reads and writes met "
                 "memory that is missing")
      ->type_name("FILE");
  CLI::Option* const unmount =
      app.add_flag("--unmount-on-exit", options.unmount_on_exit,
                   "Detach the mount when ended by SIGTERM or SIGINT");
  app.add_flag("--detached", server.detached,
               "Do not attach the mount to MOUNTPOINT: send it with the ready "
               "line, as a descriptor, for a supervisor that does; --ready-fd "
               "is a Unix socket then")
      ->needs(ready)
      ->excludes(unmount);
}

void AddLog(CLI::App& app, FusedCommandLine& options) {
  const std::map<std::string, LogFormat> formats = {{"text", LogFormat::kText},
                                                    {"json", LogFormat::kJson}};
  app.add_option("--log-format", options.log_format, "text or json, on stderr")
      ->transform(CLI::Transformer(formats).description(""))
      ->type_name("FORMAT");
  app.add_option("--log-level", options.log_level,
                 "debug, info, warning or error (default info)")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
}

/// In the order of --help.
void AddOptions(CLI::App& app, FusedCommandLine& options) {
  ServerOptions& server = options.server;
  // A wrapper may append options of its own to a supervisor's.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  AddDevices(app, options);
  AddMount(app, server);
  AddSupervision(app, options);
  app.add_flag("--allow-existing-mount", server.allow_existing_mount,
               "Mount over a mount point");
  app.add_flag("--salvage", server.salvage,
               "Serve a damaged instance as far as it is whole, for reading "
               "alone; the log tells what is not. Such a server never "
               "registers as a host");
  AddLog(app, options);
}

}  // namespace

std::optional<FusedCommandLine> ParseCommandLine(int argc, char** argv,
                                                 int& exit) {
  FusedCommandLine options;
  CLI::App app("Serves a famfs instance as a FUSE mount", "famfs-fused");
  app.set_version_flag("--version", "famfs-fused " FAMFS_VERSION);
  app.footer(kFooter);
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit = app.exit(error) == 0 ? 0 : static_cast<int>(FusedExit::kUsage);
    return std::nullopt;
  }
  return options;
}

}  // namespace famfs
