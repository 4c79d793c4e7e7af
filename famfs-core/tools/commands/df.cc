// famfs df: what is used, promised, pending and free of a pool.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/common/tree.h"
#include "tools/show/pool_space.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs df emulated:/dev/shm/pool
  famfs df /mnt/pool -v
  famfs df image:/tmp/pool.img --json | jq .pending_volumes
size = used + pending + reserved + free, but for what a lost writer reserved, which
is quarantined. `pending` is what deleted volumes still hold. On devices that hosts
share it is first quarantined, until every host has let go of it (famfs hosts), then
scrubbed, then free after a compaction; on emulated ones a compaction is enough.
`promised` is what of `free` (and of what is pending) belongs to tree volumes that
have not used up their capacity: others do not get it. `largest` is the largest free range: the largest file in one extent. `unbacked` is what
of `free` cannot be had, since the file system under the device has less left. Of a
damaged instance (--salvage) free is what no entry names that can be read: at most so
much.
Exit codes: 0 shown; 1 the instance could not be read; 2 a wrong command line, or
a device that could not be opened.)";

struct Options {
  std::string device;
  bool verbose = false;
  bool salvage = false;
  bool json = false;
};

Json ToJson(const PoolSpace& pool, const DaxDevice& device) {
  const PoolFigures& figures = pool.space.figures;
  Json json = {{"device", JsonText(device.spec())},
               {"size", figures.size},
               {"used", pool.used},
               {"pending", figures.pending},
               {"quarantined", figures.quarantined},
               {"releasable", figures.releasable},
               {"waiting_hosts", figures.waiting_hosts},
               {"reserved", figures.reserved},
               {"free", figures.free},
               {"promised", figures.promised},
               {"largest", figures.largest},
               {"unbacked", figures.unbacked},
               {"log",
                {{"entries", figures.entries},
                 {"slots", figures.slots},
                 {"promised", figures.promised_slots}}},
               {"files", pool.files.size()}};
  json["devices"] = Json::array();
  for (const PoolDevice& one : pool.devices) {
    json["devices"].push_back(
        {{"device",
          one.spec.empty() ? Json(nullptr) : Json(JsonText(one.spec))},
         {"size", one.size}});
  }
  json["volumes"] = Json::array();
  for (const VolumeSpace& volume : pool.volumes) {
    json["volumes"].push_back({{"directory", JsonText(volume.directory)},
                               {"name", JsonText(volume.attributes.name)},
                               {"kind", KindText(volume.attributes.kind)},
                               {"layout", LayoutText(volume.attributes.layout)},
                               {"state", StateText(volume.attributes.state)},
                               {"capacity", volume.attributes.capacity},
                               {"allocated", volume.allocated}});
  }
  json["pending_volumes"] = Json::array();
  for (const DeletedVolume& volume : pool.space.deleted) {
    json["pending_volumes"].push_back(
        {{"directory", JsonText(volume.directory)},
         {"state", std::string(ToString(volume.state))},
         {"deletion_number", volume.space.deletion_number},
         {"allocated", volume.space.bytes()}});
  }
  return json;
}

void PrintLine(const char* what, std::uint64_t bytes, std::uint64_t size,
               const std::string& why = {}) {
  fmt::print("  {:<13} {:>12} {:>5.1f} %{}{}\n", what, FormatSize(bytes),
             size == 0 ? 0.0
                       : 100.0 * static_cast<double>(bytes) /
                             static_cast<double>(size),
             why.empty() ? "" : "  ", why);
}

std::string Quarantine(const PoolFigures& figures) {
  if (figures.waiting_hosts == 0) return "a lost writer may still store there";
  return fmt::format("waits for {} server{} (famfs hosts)",
                     figures.waiting_hosts,
                     figures.waiting_hosts == 1 ? "" : "s");
}

void PrintDeleted(const PoolSpace& pool) {
  if (pool.space.deleted.empty()) return;
  fmt::print("deleted, space not free yet: {}\n", pool.space.deleted.size());
  for (const DeletedVolume& volume : pool.space.deleted) {
    fmt::print("  {:<40} {:>12} {:<14} deletion {}\n",
               Printable(volume.directory), FormatSize(volume.space.bytes()),
               ToString(volume.state), volume.space.deletion_number);
  }
}

void Print(const PoolSpace& pool, const DaxDevice& device, bool verbose) {
  const PoolFigures& figures = pool.space.figures;
  fmt::print("{}: {}\n", device.spec(), FormatSize(figures.size));
  PrintLine("used", pool.used, figures.size);
  PrintLine("pending", figures.pending, figures.size);
  if (figures.quarantined > 0) {
    PrintLine("  quarantined", figures.quarantined, figures.size,
              Quarantine(figures));
  }
  PrintLine("reserved", figures.reserved, figures.size);
  PrintLine("free", figures.free, figures.size);
  if (figures.unbacked > 0) {
    PrintLine("  unbacked", figures.unbacked, figures.size,
              "the file system under the device is too full for it");
  }
  if (figures.promised > 0) {
    PrintLine("  promised", figures.promised, figures.size,
              "to tree volumes, for what they may still hold");
  }
  PrintLine("largest", figures.largest, figures.size);
  fmt::print(
      "  log           {} of {} entries{}\n", figures.entries, figures.slots,
      figures.promised_slots == 0 ? std::string()
                                  : fmt::format(", {} promised to tree volumes",
                                                figures.promised_slots));
  for (const PoolDevice& one : pool.devices) {
    if (pool.devices.size() == 1) break;
    fmt::print("  device {:<3}    {:>12}  {}\n", one.index,
               FormatSize(one.size), one.spec.empty() ? "missing" : one.spec);
  }
  if (!verbose) return;
  fmt::print("volumes: {}\n", pool.volumes.size());
  for (const VolumeSpace& volume : pool.volumes) {
    fmt::print("  {:<40} {:>12} {:<4} {:<8} {}\n", Printable(volume.directory),
               FormatSize(volume.attributes.capacity),
               LayoutText(volume.attributes.layout),
               StateText(volume.attributes.state),
               Printable(volume.attributes.name));
  }
  PrintDeleted(pool);
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenReader(options.device, options.salvage));
  const PoolSpace pool = SpaceOf(*reader);
  if (options.json) {
    Json json = ToJson(pool, *reader->device());
    if (options.salvage) json["damage"] = DamageJson(*reader);
    PrintJson(json);
  } else {
    Print(pool, *reader->device(), options.verbose);
  }
  return WholeOrDamaged(*reader);
}

}  // namespace

void AddDf(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "df", "Show how much of a pool is used, pending and free");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("-v,--volumes", options->verbose,
                    "Also each volume, and each deleted one that holds space");
  AddSalvage(command, options->salvage);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
