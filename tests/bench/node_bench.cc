#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "base/units.h"
#include "tests/bench/benches.h"
#include "tests/bench/stack.h"
#include "tests/integration/support/rpc.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Mode = pb::VolumeCapability::AccessMode;

constexpr int kCalls = 100;
constexpr std::uint64_t kVolumeSize = 2 * kMiB;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

// A node that fills up: each volume is staged and stays so.
class CrowdedNode {
 public:
  CrowdedNode()
      : stack_({.size = 32 * kGiB, .sparse = true, .log_length = 32 * kMiB}) {
    probe_ = stack_.Create("probe", kVolumeSize);
  }

  void FillTo(int volumes) {
    for (int i = static_cast<int>(staged_.size()); i < volumes; ++i) {
      const std::string id = stack_.Create(fmt::format("v{}", i), kVolumeSize);
      stack_.Stage(id);
      staged_.push_back(stack_.kubelet() + "/staging/" + id);
    }
  }

  /// Milliseconds for one more volume: the lower quartile, since the counts
  /// cannot be measured in turn, and what else the machine does is not ours.
  double StageAndPublish(Mode::Mode mode) {
    std::vector<double> times;
    for (int i = -10; i < kCalls; ++i) {
      const auto start = Clock::now();
      stack_.Stage(probe_);
      stack_.Publish(probe_, mode);
      if (i >= 0) times.push_back(MillisecondsSince(start));
      stack_.Unpublish(probe_);
      stack_.Unstage(probe_);
    }
    return Percentile(times, 0.25);
  }

  /// Milliseconds from the server's death until the last volume is served.
  double ReplaceServer() {
    const pid_t server = ServerPid();
    const std::string last =
        *std::max_element(staged_.begin(), staged_.end()) + "/data";
    const auto start = Clock::now();
    ::kill(server, SIGKILL);
    while (!Opens(last)) {
      ::poll(nullptr, 0, 1);
      if (MillisecondsSince(start) > 300'000) {
        Must(DeadlineExceeded(), "a server's replacement");
      }
    }
    const double took = MillisecondsSince(start);
    for (const std::string& path : staged_) {
      if (!Opens(path + "/data")) Must(DeadlineExceeded(), path);
    }
    return took;
  }

 private:
  static absl::Status DeadlineExceeded() {
    return absl::DeadlineExceededError("not every volume is served again");
  }
  static bool Opens(const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)).valid();
  }
  [[nodiscard]] pid_t ServerPid() const {
    for (const auto& entry : std::filesystem::directory_iterator(
             stack_.kubelet() + "/plugins/famfs.csi/pools")) {
      if (entry.path().extension() == ".lock") {
        return std::atoi(rig::ReadWholeFile(entry.path()).c_str());
      }
    }
    Must(NotFound("no lock file"), "the server's process");
    return -1;
  }

  Stack stack_;
  std::string probe_;
  std::vector<std::string> staged_;
};

}  // namespace

std::vector<Row> NodeBench() {
  CrowdedNode node;
  std::map<int, double> shared;   // ms, by staged volumes
  std::map<int, double> alone;    // one path only: others have to be looked for
  std::map<int, double> replace;  // ms
  for (const int volumes : {10, 1'000, 1'500, 5'000, 10'000}) {
    node.FillTo(volumes);
    shared[volumes] = node.StageAndPublish(Mode::MULTI_NODE_MULTI_WRITER);
    alone[volumes] = node.StageAndPublish(Mode::SINGLE_NODE_WRITER);
    replace[volumes] = node.ReplaceServer();
    std::fprintf(stderr, "%d volumes staged\n", volumes);
  }
  std::vector<Row> rows;
  for (const int volumes : {1'000, 5'000, 10'000}) {
    rows.push_back(Single(fmt::format("stage_publish.staged_{}_vs_10", volumes),
                          "ms", {.high = 2.0}, shared[volumes], shared[10]));
    rows.push_back(
        Single(fmt::format("stage_publish_rwo.staged_{}_vs_10", volumes), "ms",
               {.high = 2.0}, alone[volumes], alone[10]));
  }
  rows.push_back(Single("replace_server.staged_1500_vs_3s", "ms", {.high = 1.0},
                        replace[1'500], 3'000));
  rows.push_back(Single("replace_server.staged_10", "ms", {}, replace[10], 1));
  // Linear: five times the volumes, at most twice that time.
  for (const auto& [more, less] : {std::pair{5'000, 1'000}, {10'000, 5'000}}) {
    rows.push_back(
        Single(fmt::format("replace_server.staged_{}_vs_{}", more, less), "ms",
               {.high = 2.0 * more / less}, replace[more], replace[less]));
  }
  return rows;
}

}  // namespace famfs::bench
