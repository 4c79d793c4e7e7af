// famfs df: what is used, promised, pending and free of a pool.
#include "base/units.h"
#include "tools/commands.h"
#include "tools/pool_space.h"
#include "tools/tree.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs df emulated:/dev/shm/pool
  famfs df /mnt/pool -v
  famfs df emulated:/dev/shm/pool --json | jq .free
size = used + pending + free. `pending` is what deleted volumes still hold: it is
free again after a compaction, when no host can have them mapped any more.
`largest` is the largest free range: the largest file in one extent.
Exit codes: 0 shown; 1 the instance could not be read; 2 a wrong command line, or
a device that could not be opened.)";

struct Options {
  std::string device;
  bool verbose = false;
  bool json = false;
};

Json ToJson(const PoolSpace& space, const DaxDevice& device) {
  Json json = {
      {"device", JsonText(device.spec())},
      {"size", space.figures.size},
      {"used", space.used()},
      {"pending", space.figures.pending},
      {"free", space.figures.free},
      {"largest", space.figures.largest},
      {"log",
       {{"entries", space.figures.entries}, {"slots", space.figures.slots}}},
      {"files", space.files.size()}};
  json["volumes"] = Json::array();
  for (const VolumeSpace& volume : space.volumes) {
    json["volumes"].push_back({{"directory", JsonText(volume.directory)},
                               {"name", JsonText(volume.attributes.name)},
                               {"kind", KindText(volume.attributes.kind)},
                               {"state", StateText(volume.attributes.state)},
                               {"capacity", volume.attributes.capacity},
                               {"allocated", volume.allocated}});
  }
  json["pending_volumes"] = Json::array();
  for (const auto& [directory, volume] : space.pending) {
    json["pending_volumes"].push_back(
        {{"directory", JsonText(directory)},
         {"deletion_number", volume.deletion_number},
         {"allocated", volume.bytes()}});
  }
  return json;
}

void PrintLine(const char* what, std::uint64_t bytes, std::uint64_t size) {
  fmt::print("  {:<9} {:>12} {:>5.1f} %\n", what, FormatSize(bytes),
             size == 0 ? 0.0
                       : 100.0 * static_cast<double>(bytes) /
                             static_cast<double>(size));
}

void Print(const PoolSpace& space, const DaxDevice& device, bool verbose) {
  const PoolFigures& figures = space.figures;
  fmt::print("{}: {}\n", device.spec(), FormatSize(figures.size));
  PrintLine("used", space.used(), figures.size);
  PrintLine("pending", figures.pending, figures.size);
  PrintLine("free", figures.free, figures.size);
  PrintLine("largest", figures.largest, figures.size);
  fmt::print("  log       {} of {} entries\n", figures.entries, figures.slots);
  if (!verbose) return;
  fmt::print("volumes: {}\n", space.volumes.size());
  for (const VolumeSpace& volume : space.volumes) {
    fmt::print("  {:<40} {:>12} {:<8} {}\n", Printable(volume.directory),
               FormatSize(volume.attributes.capacity),
               StateText(volume.attributes.state),
               Printable(volume.attributes.name));
  }
  if (space.pending.empty()) return;
  fmt::print("deleted, space not free yet: {}\n", space.pending.size());
  for (const auto& [directory, volume] : space.pending) {
    fmt::print("  {:<40} {:>12} deletion {}\n", Printable(directory),
               FormatSize(volume.bytes()), volume.deletion_number);
  }
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(options.device));
  FAMFS_ASSIGN_OR_RETURN(const PoolSpace space, SpaceOf(*reader));
  if (options.json) {
    PrintJson(ToJson(space, *reader->device()));
  } else {
    Print(space, *reader->device(), options.verbose);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddDf(CLI::App& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "df", "Show how much of a pool is used, pending and free");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("-v,--volumes", options->verbose,
                    "Also each volume, and each deleted one that holds space");
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
