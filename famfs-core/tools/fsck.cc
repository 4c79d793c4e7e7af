// famfs fsck: checks an instance without changing it.
#include "instance/fsck.h"

#include "base/units.h"
#include "tools/commands.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Exit code 0: nothing is wrong. 1: each problem is told, with the number of the
log entry where there is one. 2: the device could not be opened.
"unfinished" is what an interrupted write left; the next command that writes
(or the CSI controller) completes it. famfs dump shows the entries themselves.)";

struct Options {
  std::string device;
  bool json = false;
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
        "  holds    {} files, {} directories, {} volumes\n"
        "  space    {} used, {} free, {} of deleted volumes\n",
        device.spec(), report.superblock.fs_uuid.ToString(),
        report.superblock.system_uuid.ToString(), report.entries, report.slots,
        report.files, report.directories, report.volumes,
        FormatSize(report.used_bytes), FormatSize(report.free_bytes),
        FormatSize(report.pending_bytes));
  }
  if (report.clean()) {
    fmt::print("{}: clean\n", device.spec());
  } else {
    fmt::print("{}: {} problem{}\n", device.spec(), report.findings.size(),
               report.findings.size() == 1 ? "" : "s");
  }
}

absl::StatusOr<ExitCode> Run(const Options& options) {
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

void AddFsck(CLI::App& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("fsck", "Check an instance; changes nothing");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
