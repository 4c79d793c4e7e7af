// famfs hosts: which servers use a pool, and how far each has let go of what
// was deleted.
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/show/pool_space.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs hosts image:/tmp/pool.img
  famfs hosts /dev/dax0.0 --json | jq '.[] | select(.waiting_bytes > 0)'
Each server (famfs-fused, one for each mount) of a pool has a row. On devices that
hosts share a deleted volume's space is used again when all of them have let go of
it. States:
  acknowledged  has let go of all that was deleted
  behind        has not yet: it still maps a deleted volume, or does not run
  evicted       is waited for no longer (famfs evict)
  stale boot    is of an earlier boot of this host, and waited for no longer
  damaged       its row cannot be read: nothing is used again until
                `famfs evict DEVICE --damaged`
Of a server that was killed the row stays until its host starts another one: nobody
else knows whether that host still maps the bytes. On emulated devices deleted space
waits for nobody; there a row is for asking the owner for changes of tree volumes.
Exit codes: 0 shown; 1 the instance could not be read; 2 a wrong command line, or
a device that could not be opened.)";

struct Options {
  std::string device;
  bool json = false;
};

Json ToJson(const std::vector<HostStatus>& hosts) {
  Json json = Json::array();
  for (const HostStatus& host : hosts) {
    json.push_back({{"host", host.host.ToString()},
                    {"session", fmt::format("{:08x}", host.session)},
                    {"boot", fmt::format("{:016x}", host.boot)},
                    {"state", std::string(ToString(host.standing))},
                    {"acknowledged", host.acknowledged},
                    {"waiting_bytes", host.waiting_bytes}});
  }
  return json;
}

void Print(const std::vector<HostStatus>& hosts) {
  if (hosts.empty()) {
    fmt::print("no server is registered\n");
    return;
  }
  fmt::print("{:<36}  {:<8}  {:<12}  {:>12}  {}\n", "host", "session", "state",
             "acknowledged", "deleted space that waits for it");
  for (const HostStatus& host : hosts) {
    fmt::print("{:<36}  {:08x}  {:<12}  {:>12}  {}\n", host.host.ToString(),
               host.session, ToString(host.standing), host.acknowledged,
               host.waiting_bytes == 0 ? "-" : FormatSize(host.waiting_bytes));
  }
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(options.device));
  const std::vector<HostStatus> hosts = reader->Hosts(LookingHost());
  if (options.json) {
    PrintJson(ToJson(hosts));
  } else {
    Print(hosts);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddHosts(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "hosts", "Show which servers use a pool, and which are waited for");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
