// famfs evict: deleted space waits for a host no longer.
#include "instance/deletion/host_table.h"

#include "base/text.h"
#include "tools/commands/commands.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs evict image:/tmp/pool.img 6b1f2a0e-5a34-4c0e-9d0b-2f6b6f6f9a11
  famfs evict /dev/dax0.0 --damaged
ONLY FOR A HOST THAT IS DEAD, or that has lost the memory: what a living one still
maps becomes another volume's bytes under its eyes. To make a living host let go,
unmount there. Only a host that is writing its row at that moment is found out and
not evicted. One that was evicted and lives mounts again to change tree volumes.
What it had promised to files that it was making is given back as well. The writer
(the CSI controller, or the next command that writes) then scrubs and reuses the
space. `famfs hosts` lists the hosts.
Exit codes: 0 evicted; 1 refused, or no such host; 2 a wrong command line, or a
device that could not be opened.)";

struct Options {
  std::string device;
  std::string host;
  bool damaged = false;
};

absl::StatusOr<ExitCode> Run(const Options& options) {
  Uuid host;
  if (options.damaged == !options.host.empty()) {
    return AsUsage(
        InvalidArgument("name the host's uuid, or --damaged, and not both"));
  }
  if (!options.damaged) {
    const auto parsed = Uuid::Parse(options.host);
    if (!parsed.ok() || parsed->is_nil()) {
      return AsUsage(InvalidArgument(
          "'{}' is not the uuid of a host; famfs hosts lists them",
          Printable(options.host)));
    }
    host = *parsed;
  }
  FAMFS_ASSIGN_OR_RETURN(const auto device, OpenForWriting(options.device));
  FAMFS_RETURN_IF_ERROR(EvictHost(*device, host));
  if (options.damaged) {
    fmt::print("{}: damaged rows are cleared\n", device->spec());
  } else {
    fmt::print("{}: the host {} is waited for no longer\n", device->spec(),
               host.ToString());
  }
  return ExitCode::kOk;
}

}  // namespace

void AddEvict(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "evict", "Wait for a dead host no longer before reusing deleted space");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_option("HOST", options->host, "The host's uuid");
  command->add_flag("--damaged", options->damaged,
                    "Clear the rows that cannot be read instead");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
