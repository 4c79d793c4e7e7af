// famfs-csi-in-use: does any volume of the driver exist? Asks the controller's
// query endpoint, for the hook that runs before an uninstall.
//
//   famfs-csi-in-use tcp://10.96.0.17:9811 --release famfs --revision 3
#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "base/units.h"
#include "csi/csi.grpc.pb.h"
#include "csi/endpoint.h"

namespace famfs {
namespace {

namespace pb = ::csi::v1;
using Clock = std::chrono::system_clock;

constexpr int kPage = 500;           // volumes
constexpr std::size_t kShown = 100;  // of them, in the list
constexpr std::chrono::seconds kPause{1};

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

// "topology.famfs.csi/fast" -> "fast"
std::string PoolOf(const pb::Volume& volume) {
  for (const auto& topology : volume.accessible_topology()) {
    for (const auto& [key, value] : topology.segments()) {
      return Printable(key.substr(key.rfind('/') + 1));
    }
  }
  return "-";
}

Volume Describe(const pb::Volume& volume) {
  const auto& context = volume.volume_context();
  const auto name = context.find("name");
  return {
      .name = name == context.end() ? "-" : Printable(name->second),
      .size = FormatSize(static_cast<std::uint64_t>(volume.capacity_bytes())),
      .pool = PoolOf(volume),
      .id = Printable(volume.volume_id())};
}

absl::StatusOr<std::vector<Volume>> List(pb::Controller::Stub& stub,
                                         Clock::time_point end) {
  std::vector<Volume> volumes;
  pb::ListVolumesRequest request;
  request.set_max_entries(kPage);
  do {
    grpc::ClientContext context;
    context.set_deadline(end);
    context.set_wait_for_ready(true);
    pb::ListVolumesResponse response;
    const grpc::Status status = stub.ListVolumes(&context, request, &response);
    if (!status.ok()) {
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                          status.error_message());
    }
    for (const auto& entry : response.entries()) {
      volumes.push_back(Describe(entry.volume()));
    }
    request.set_starting_token(response.next_token());
  } while (!request.starting_token().empty());
  return volumes;
}

// A controller that starts, or a pool that is not open yet, is asked again.
absl::StatusOr<std::vector<Volume>> ListPatiently(const Flags& flags,
                                                  const std::string& address) {
  const auto end = Clock::now() + std::chrono::seconds(flags.timeout_seconds);
  const auto stub = pb::Controller::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  for (;;) {
    auto volumes = List(*stub, end);
    const bool may_change = absl::IsUnavailable(volumes.status()) ||
                            absl::IsAborted(volumes.status());
    if (absl::IsDeadlineExceeded(volumes.status())) {
      return Unavailable("no answer within {} s", flags.timeout_seconds);
    }
    if (!may_change || Clock::now() + kPause >= end) return volumes;
    std::this_thread::sleep_for(kPause);
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
  if (!endpoint.ok()) {
    fmt::print(stderr, "famfs-csi-in-use: {}\n", Message(endpoint.status()));
    return 2;
  }
  const std::string where =
      flags.name_space.empty() ? "" : " --namespace " + flags.name_space;
  const Commands helm = {
      .target = flags.release + where,
      .rollback = flags.release + " " + flags.revision + where};
  const auto volumes = ListPatiently(flags, endpoint->GrpcAddress());
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
      "--query-endpoint. Exit code: 0 none does, 1 some do or the controller "
      "does not answer, 2 usage."};
  app.add_option("address", flags.address,
                 "The query endpoint: tcp://host:port, or host:port")
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
