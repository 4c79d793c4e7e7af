// famfs devices: the dax devices of this host, and what tells them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "dax/dax_bus.h"
#include "dax/devdax.h"
#include "instance/deletion/in_use.h"
#include "tools/commands/commands.h"
#include "tools/show/dax_table.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs devices
  famfs devices --json | jq -r '.[] | select(.mode == "devdax") | .tag'
  famfs mkfs tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301
The tag is the same on every host that sees the memory, the path is not: name
devices by `tag:UUID`. Modes, by the driver that has the device:
  devdax      programs map it: what famfs needs
  fsdev       only the kernel's famfs maps it
  system-ram  it is memory of this machine
  none        no driver has it
`holders` are the processes that have it open or mapped (root sees all of them).
Exit codes: 0 shown, also when there is none; 1 they could not be looked at; 2 a
wrong command line.)";

struct Options {
  bool json = false;
};

ShownDax Show(const DaxSystem& system, const DaxRecord& record) {
  ShownDax shown{.record = record};
  AddSuperblockTag(system, shown.record);
  if (record.mode == DaxMode::kDevdax) {
    const auto super = SuperblockOn(system, record);
    if (super) shown.fs_uuid = super->fs_uuid;
  }
  struct stat node {};
  shown.has_node = ::stat(record.path.c_str(), &node) == 0;
  if (shown.has_node && S_ISCHR(node.st_mode)) {
    shown.holders = ProcessesThatHave({{.device = node.st_dev,
                                        .inode = node.st_ino,
                                        .number = node.st_rdev}});
  }
  return shown;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  const DaxSystem system = DaxSystem::Real();
  FAMFS_ASSIGN_OR_RETURN(const auto records, ListDax(system));
  std::vector<ShownDax> devices;
  devices.reserve(records.size());
  for (const DaxRecord& record : records) {
    devices.push_back(Show(system, record));
  }
  if (options.json) {
    PrintJson(DaxJson(devices));
  } else if (devices.empty()) {
    fmt::print(
        "this host has no dax device; docs/real-memory.md says how memory "
        "becomes one\n");
  } else {
    std::fputs(DaxTable(devices).c_str(), stdout);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddDevices(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "devices", "Show the dax devices of this host, and their tags");
  command->footer(kExamples);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
