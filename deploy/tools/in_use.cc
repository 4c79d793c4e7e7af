// famfs-csi-in-use: does any volume of the driver exist? Asks the controller's
// metrics, for the hook that runs before an uninstall.
//
//   famfs-csi-in-use tcp://10.96.0.17:9810 --release famfs --revision 3
#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "base/units.h"
#include "csi/rpc/endpoint.h"
#include "deploy/tools/http_get.h"

namespace famfs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kShown = 100;  // volumes in the list
constexpr milliseconds kPause{1'000};

struct Flags {
  std::string address;
  int timeout_seconds = 30;
  std::string release = "RELEASE";
  std::string revision = "REVISION";
  std::string name_space;
};

struct Volume {
  std::string name;
  std::string size;
  std::string pool;
  std::string id;
};

// The value of a label in a line of Prometheus' text format, as it is to be
// shown; "-" if it is not there.
std::string Label(std::string_view line, std::string_view name) {
  for (const char before : {'{', ','}) {
    const std::string mark = fmt::format("{}{}=\"", before, name);
    const std::size_t at = line.find(mark);
    if (at == std::string_view::npos) continue;
    std::string value;
    for (std::size_t i = at + mark.size(); i < line.size(); ++i) {
      if (line[i] == '"') return PrintableLine(value);
      if (line[i] == '\\' && i + 1 < line.size()) ++i;
      value += line[i];
    }
  }
  return "-";
}

double Value(std::string_view line) {
  const std::string text(line.substr(line.rfind(' ') + 1));
  return std::strtod(text.c_str(), nullptr);
}

// Unavailable: a pool is not open, so there may be volumes that are not listed.
absl::StatusOr<std::vector<Volume>> Parse(std::string_view page) {
  std::vector<Volume> volumes;
  bool has_pools = false;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    const std::string_view line = page.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("famfs_csi_pool_available{")) {
      has_pools = true;
      if (Value(line) != 1) {
        return Unavailable("it has not opened the pool {}; its log says why",
                           Label(line, "pool"));
      }
    } else if (line.starts_with("famfs_csi_volume_size_bytes{")) {
      volumes.push_back(
          {.name = Label(line, "name"),
           .size = FormatSize(static_cast<std::uint64_t>(Value(line))),
           .pool = Label(line, "pool"),
           .id = Label(line, "volume")});
    }
  }
  if (!has_pools) {
    return FailedPrecondition("what answers there is no famfs-csi-controller");
  }
  return volumes;
}

// A controller that starts, or a pool that is not open yet, is asked again.
absl::StatusOr<std::vector<Volume>> ListPatiently(
    const Flags& flags, const csi::Endpoint& endpoint) {
  const auto end = Clock::now() + std::chrono::seconds(flags.timeout_seconds);
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - Clock::now());
    const auto page = HttpGet(endpoint, "/metrics", left);
    auto volumes = page.ok() ? Parse(*page) : page.status();
    if (absl::IsDeadlineExceeded(volumes.status())) {
      return Unavailable("no answer within {} s", flags.timeout_seconds);
    }
    if (!absl::IsUnavailable(volumes.status())) return volumes;
    if (Clock::now() + kPause >= end) {
      return Unavailable("no answer within {} s: {}", flags.timeout_seconds,
                         Message(volumes.status()));
    }
    ::poll(nullptr, 0, static_cast<int>(kPause.count()));
  }
}

void PrintTable(const std::vector<Volume>& volumes) {
  Volume width{.name = "PERSISTENTVOLUME",
               .size = "SIZE",
               .pool = "POOL",
               .id = "VOLUME"};
  std::vector<Volume> rows = {width};
  rows.insert(rows.end(), volumes.begin(),
              volumes.begin() + static_cast<std::ptrdiff_t>(
                                    std::min(volumes.size(), kShown)));
  std::array<std::size_t, 3> widths = {};
  for (const Volume& row : rows) {
    widths = {std::max(widths[0], row.name.size()),
              std::max(widths[1], row.size.size()),
              std::max(widths[2], row.pool.size())};
  }
  for (const Volume& row : rows) {
    fmt::print("  {:<{}}  {:>{}}  {:<{}}  {}\n", row.name, widths[0], row.size,
               widths[1], row.pool, widths[2], row.id);
  }
  if (volumes.size() > kShown) {
    fmt::print("  ... and {} more\n", volumes.size() - kShown);
  }
}

// What the printed commands name.
struct Commands {
  std::string target;    // "famfs --namespace storage"
  std::string rollback;  // the same with the revision that is to come back
};

void PrintWayBack(const Commands& helm) {
  fmt::print(
      "\nNothing was uninstalled. Take the uninstall back first, since the "
      "release counts as\nbeing uninstalled from now on:\n\n"
      "  helm rollback {1}\n\n"
      "Then delete the claims of these volumes (kubectl get pv shows whose "
      "they are; of a\nvolume with the reclaim policy Retain delete the "
      "PersistentVolume after setting the\npolicy to Delete), wait until "
      "`kubectl get pv` shows none of them, and uninstall again:\n\n"
      "  helm uninstall {0}\n\n"
      "To keep the volumes' bytes in the pools and uninstall all the same: "
      "stop the pods that\nuse them, then `helm uninstall {0} --no-hooks`. An "
      "installation over the same pools\nfinds them again.\n",
      helm.target, helm.rollback);
}

void PrintNoAnswer(const Flags& flags, const absl::Status& status,
                   const Commands& helm) {
  fmt::print(
      stderr,
      "famfs-csi-in-use: the controller at {} does not tell which volumes "
      "exist: {}\n\n"
      "Nothing was uninstalled. See what is wrong with the controller's pod, "
      "take the uninstall\nback by `helm rollback {}`, and try again when it "
      "runs. Or uninstall without asking:\n\n"
      "  helm uninstall {} --no-hooks\n\n"
      "Volumes that exist stay in their pools then; pods that use them lose "
      "their mounts.\n",
      flags.address, Message(status), helm.rollback, helm.target);
}

int Run(const Flags& flags) {
  const auto endpoint = csi::ParseEndpoint(flags.address);
  if (!endpoint.ok() || endpoint->kind != csi::Endpoint::Kind::kTcp) {
    fmt::print(stderr, "famfs-csi-in-use: {}\n",
               endpoint.ok() ? "the address is no tcp://host:port"
                             : Message(endpoint.status()));
    return 2;
  }
  const std::string where =
      flags.name_space.empty() ? "" : " --namespace " + flags.name_space;
  const Commands helm = {
      .target = flags.release + where,
      .rollback = flags.release + " " + flags.revision + where};
  const auto volumes = ListPatiently(flags, *endpoint);
  if (!volumes.ok()) {
    PrintNoAnswer(flags, volumes.status(), helm);
    return 1;
  }
  if (volumes->empty()) {
    fmt::print("No volume exists; the driver can be uninstalled.\n");
    return 0;
  }
  fmt::print("The driver is in use, {} {}:\n\n", volumes->size(),
             volumes->size() == 1 ? "volume exists" : "volumes exist");
  PrintTable(*volumes);
  PrintWayBack(helm);
  return 1;
}

}  // namespace
}  // namespace famfs

int main(int argc, char** argv) {
  famfs::Flags flags;
  CLI::App app{
      "Tells whether volumes of the driver exist, by its controller's "
      "--http-endpoint. Exit code: 0 none does, 1 some do or the controller "
      "does not answer, 2 usage."};
  app.add_option("address", flags.address,
                 "The HTTP endpoint: tcp://host:port, or host:port")
      ->required();
  app.add_option("--timeout", flags.timeout_seconds,
                 "Seconds to wait for an answer")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--release", flags.release,
                 "The Helm release, for the commands that are printed");
  app.add_option("--revision", flags.revision,
                 "Its revision, without which a rollback would take the one "
                 "before");
  app.add_option("--namespace", flags.name_space, "Its namespace");
  app.set_version_flag("--version", FAMFS_VERSION);
  CLI11_PARSE(app, argc, argv);
  return famfs::Run(flags);
}
