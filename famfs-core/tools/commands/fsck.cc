// famfs fsck: checks an instance without changing it, or with --repair mends
// what an interruption left.
#include <nlohmann/json.hpp>

#include "instance/check/fsck.h"

#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/commands/repair.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs fsck emulated:/dev/shm/pool
  famfs fsck image:/tmp/pool.img --json | jq .findings
  famfs fsck emulated:/dev/shm/pool --repair
Without --repair nothing is changed and nothing is locked. "unfinished" is what an
interrupted write left: the next command that writes (or the CSI controller)
completes it, and so does --repair. It also renews a torn copy in the region and a
log header whose entries are all there; it never touches an entry or a file, and
tells why it leaves the rest. It needs to be the owner, and the writer's lock.
famfs dump shows the entries themselves.
Exit codes: 0 nothing is wrong (any more); 1 each problem that there is is told,
with the number of the log entry where there is one; 2 a wrong command line, or a
device that could not be opened.)";

struct Options {
  std::string device;
  bool json = false;
  bool repair = false;
  WriteOptions write;
};

Json ToJson(const FsckReport& report, const DaxDevice& device) {
  Json json = {{"device", JsonText(device.spec())},
               {"clean", report.clean()},
               {"findings", Json::array()},
               {"truncated", report.truncated}};
  for (const Finding& finding : report.findings) {
    json["findings"].push_back(
        {{"severity", std::string(ToString(finding.severity))},
         {"entry", finding.entry ? Json(*finding.entry) : Json(nullptr)},
         {"rule", finding.rule},
         {"message", JsonText(finding.message)}});
  }
  if (report.have_superblock) {
    json["uuid"] = report.superblock.fs_uuid.ToString();
    json["owner"] = report.superblock.system_uuid.ToString();
    json["size"] = report.superblock.device_size;
  }
  json["entries"] = report.entries;
  json["slots"] = report.slots;
  json["files"] = report.files;
  json["directories"] = report.directories;
  json["symlinks"] = report.symlinks;
  json["volumes"] = report.volumes;
  json["used_bytes"] = report.used_bytes;
  json["free_bytes"] = report.free_bytes;
  json["pending_bytes"] = report.pending_bytes;
  json["devices"] = Json::array();
  for (const CheckedDevice& one : report.devices) {
    json["devices"].push_back(
        {{"uuid", one.uuid.ToString()},
         {"size", one.size},
         {"device",
          one.spec.empty() ? Json(nullptr) : Json(JsonText(one.spec))}});
  }
  return json;
}

void PrintText(const FsckReport& report, const DaxDevice& device) {
  for (const Finding& finding : report.findings) {
    fmt::print("{}\n", finding.ToString());
  }
  if (report.truncated) fmt::print("... and more; only the first are told\n");
  if (report.have_superblock) {
    fmt::print(
        "{}: uuid {}, owner {}\n"
        "  log      {} of {} entries\n"
        "  holds    {} files, {} directories{}, {} volumes\n"
        "  space    {} used, {} free, {} of deleted volumes\n",
        device.spec(), report.superblock.fs_uuid.ToString(),
        report.superblock.system_uuid.ToString(), report.entries, report.slots,
        report.files, report.directories,
        report.symlinks == 0
            ? std::string()
            : fmt::format(", {} symbolic links", report.symlinks),
        report.volumes, FormatSize(report.used_bytes),
        FormatSize(report.free_bytes), FormatSize(report.pending_bytes));
  }
  if (report.clean()) {
    fmt::print("{}: clean\n", device.spec());
  } else {
    fmt::print("{}: {} problem{}\n", device.spec(), report.findings.size(),
               report.findings.size() == 1 ? "" : "s");
  }
}

absl::StatusOr<ExitCode> RunRepair(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const RepairReport repair,
                         Repair(options.device, options.write));
  FAMFS_ASSIGN_OR_RETURN(const auto devices,
                         OpenDevices(options.device, Access::kRead));
  const auto device = devices->primary();
  if (options.json) {
    Json json = ToJson(repair.after, *device);
    json["findings_before"] = repair.before.findings.size();
    json["repaired"] = Json::array();
    for (const std::string& sentence : repair.done) {
      json["repaired"].push_back(JsonText(sentence));
    }
    json["refused"] = Json::array();
    for (const std::string& sentence : repair.refused) {
      json["refused"].push_back(JsonText(sentence));
    }
    PrintJson(json);
  } else {
    for (const std::string& sentence : repair.done) {
      fmt::print("repaired: {}\n", sentence);
    }
    for (const std::string& sentence : repair.refused) {
      fmt::print("left as it is: {}\n", sentence);
    }
    PrintText(repair.after, *device);
  }
  return repair.after.clean() ? ExitCode::kOk : ExitCode::kProblems;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  if (options.repair) return RunRepair(options);
  FAMFS_ASSIGN_OR_RETURN(const auto devices,
                         OpenDevices(options.device, Access::kRead));
  const auto device = devices->primary();
  const FsckReport report = Fsck(*devices);
  if (options.json) {
    PrintJson(ToJson(report, *device));
  } else {
    PrintText(report, *device);
  }
  return report.clean() ? ExitCode::kOk : ExitCode::kProblems;
}

}  // namespace

void AddFsck(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command =
      app.add_subcommand("fsck", "Check an instance, or repair it");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("--repair", options->repair,
                    "Mend what can be mended without touching an entry or a "
                    "file");
  command->add_flag("--json", options->json, "Answer in JSON");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
