// famfs compact: drops dead entries from the log and frees what they held.
#include "base/units.h"
#include "tools/commands.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Example:
  famfs compact emulated:/dev/shm/pool
Writers compact by themselves when room is short; this does it now. Readers and
mounts follow without a pause. Space of deleted volumes that a host may still
have mapped stays pending.
Exit codes: 0 done, also when there was nothing to drop; 1 refused, and nothing is
changed; 2 a wrong command line, or a device that could not be opened.)";

struct Options {
  std::string device;
  bool json = false;
  WriteOptions write;
};

absl::StatusOr<ExitCode> Run(const Options& options) {
  // Before the writer opens: its opening may compact already.
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(options.device));
  const PoolFigures before = reader->Figures();
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  FAMFS_RETURN_IF_ERROR(writer->Compact());
  FAMFS_RETURN_IF_ERROR(reader->Refresh().status());
  const PoolFigures after = reader->Figures();
  if (options.json) {
    PrintJson({{"device", JsonText(reader->device()->spec())},
               {"entries_before", before.entries},
               {"entries", after.entries},
               {"slots", after.slots},
               {"free_before", before.free},
               {"free", after.free},
               {"pending", after.pending}});
    return ExitCode::kOk;
  }
  fmt::print(
      "{}: {} entries before, {} now, of {}\n"
      "  {} free before, {} now; {} of deleted volumes pending\n",
      reader->device()->spec(), before.entries, after.entries, after.slots,
      FormatSize(before.free), FormatSize(after.free),
      FormatSize(after.pending));
  return ExitCode::kOk;
}

}  // namespace

void AddCompact(CLI::App& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("compact", "Drop dead entries from the log");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("--json", options->json, "Answer in JSON");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
