#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/units.h"
#include "tests/bench/benches.h"
#include "tests/bench/stack.h"
#include "tests/integration/support/rpc.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Of a round; kRounds of them count.
constexpr int kCalls = 34;
constexpr int kMountCalls = 12;
constexpr int kManyVolumes = 1000;
constexpr std::uint64_t kVolumeSize = 2 * kMiB;

double Microseconds(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start)
      .count();
}

struct Echo {
  rig::TempDir dir;
  std::unique_ptr<rig::Process> process;
  std::unique_ptr<pb::Controller::Stub> controller;
  std::unique_ptr<pb::Node::Stub> node;

  Echo() {
    const std::string socket = dir / "echo.sock";
    process = Must(
        rig::Process::Start({.argv = {"/proc/self/exe", "--echo", socket}}),
        "echo server");
    Must(rig::WaitForSocket(socket, process.get()), "echo server");
    controller = pb::Controller::NewStub(rig::Connect(socket));
    node = pb::Node::NewStub(rig::Connect(socket));
  }
};

struct Times {
  std::vector<double> ours;
  std::vector<double> echo;

  void Add(const Times& more) {
    ours.insert(ours.end(), more.ours.begin(), more.ours.end());
    echo.insert(echo.end(), more.echo.begin(), more.echo.end());
  }
};

// The same calls of a driver with one volume and of one with many, in turn, so
// that both meet the same moments of a machine that others use.
struct Rounds {
  Times one;
  Times many;
  // Of each round, its medians' ratios.
  std::vector<double> many_by_one;
  std::vector<double> many_by_echo;
};

template <typename TimeOne, typename TimeMany>
Rounds InTurn(const TimeOne& time_one, const TimeMany& time_many) {
  Rounds rounds;
  for (int round = -1; round < kRounds; ++round) {
    const bool many_first = round % 2 != 0;
    Times many;
    if (many_first) many = time_many();
    const Times one = time_one();
    if (!many_first) many = time_many();
    if (round < 0) continue;  // the caches are cold
    rounds.one.Add(one);
    rounds.many.Add(many);
    rounds.many_by_one.push_back(Median(many.ours) / Median(one.ours));
    rounds.many_by_echo.push_back(Median(many.ours) / Median(many.echo));
  }
  return rounds;
}

// One call to us, one to the echo, in turn.
Times TimeCreates(Stack& stack, Echo& echo, const std::string& prefix) {
  Times times;
  std::vector<std::string> ids;
  for (int i = 0; i < kCalls; ++i) {
    const auto request =
        stack.CreateRequest(prefix + std::to_string(i), kVolumeSize);
    auto start = Clock::now();
    const auto made =
        Must(rig::Call(stack.controller(), &pb::Controller::Stub::CreateVolume,
                       request),
             "CreateVolume");
    times.ours.push_back(Microseconds(start));
    ids.push_back(made.volume().volume_id());
    start = Clock::now();
    Must(rig::Call(*echo.controller, &pb::Controller::Stub::CreateVolume,
                   request)
             .status(),
         "echo");
    times.echo.push_back(Microseconds(start));
  }
  for (const std::string& id : ids) stack.Delete(id);
  return times;
}

Times TimeStageAndPublish(Stack& stack, Echo& echo, const std::string& id) {
  Times times;
  for (int i = 0; i < kMountCalls; ++i) {
    auto start = Clock::now();
    stack.Stage(id);
    stack.Publish(id);
    times.ours.push_back(Microseconds(start));
    stack.Unpublish(id);
    stack.Unstage(id);
    pb::NodeStageVolumeRequest stage;
    pb::NodePublishVolumeRequest publish;
    stage.set_volume_id(id);
    publish.set_volume_id(id);
    start = Clock::now();
    Must(
        rig::Call(*echo.node, &pb::Node::Stub::NodeStageVolume, stage).status(),
        "echo");
    Must(rig::Call(*echo.node, &pb::Node::Stub::NodePublishVolume, publish)
             .status(),
         "echo");
    times.echo.push_back(Microseconds(start));
  }
  return times;
}

// All calls together, to inform.
void AddRows(std::vector<Row>& rows, const std::string& name,
             const Times& times) {
  for (const auto& [suffix, p] : {std::pair{"p50", 0.5}, {"p99", 0.99}}) {
    rows.push_back(Single(name + "." + suffix + "_vs_echo", "us", {},
                          Percentile(times.ours, p),
                          Percentile(times.echo, p)));
  }
}

// The median of the rounds' ratios: what else the machine does in a moment is
// in few of them.
Row OfRounds(const std::string& name, Band band, double ours, double peer,
             const std::vector<double>& ratios) {
  Row row = Single(name, "us", band, ours, peer);
  row.ratio = Median(ratios);
  row.lowest = *std::min_element(ratios.begin(), ratios.end());
  row.highest = *std::max_element(ratios.begin(), ratios.end());
  return row;
}

// Beside the echo, and flat: the median at many volumes beside the one at a
// single volume.
void AddRounds(std::vector<Row>& rows, const std::string& name,
               const Rounds& rounds) {
  AddRows(rows, name + ".at_1", rounds.one);
  AddRows(rows, name + ".at_1000", rounds.many);
  rows.push_back(OfRounds(name + ".p50_at_1000_vs_at_1", {.high = 1.3},
                          Median(rounds.many.ours), Median(rounds.one.ours),
                          rounds.many_by_one));
}

}  // namespace

std::vector<Row> CallBench() {
  // Sparse: what is measured is the driver, not the zeroing of memory.
  Stack one(/*sparse=*/true);
  Stack many(/*sparse=*/true);
  Echo echo;
  const std::string in_one = one.Create("first", kVolumeSize);
  const std::string in_many = many.Create("first", kVolumeSize);
  for (int i = 1; i < kManyVolumes; ++i) {
    many.Create("many-" + std::to_string(i), kVolumeSize);
  }
  int round = 0;
  const Rounds creates = InTurn(
      [&] { return TimeCreates(one, echo, fmt::format("one-{}-", ++round)); },
      [&] {
        return TimeCreates(many, echo, fmt::format("more-{}-", ++round));
      });
  const Rounds publishes =
      InTurn([&] { return TimeStageAndPublish(one, echo, in_one); },
             [&] { return TimeStageAndPublish(many, echo, in_many); });
  std::vector<Row> rows;
  AddRounds(rows, "create_volume", creates);
  AddRounds(rows, "stage_publish", publishes);
  // The target: at most twice as much as the call itself costs is added to it,
  // on a slow machine as on a fast one.
  rows.push_back(OfRounds("create_volume.vs_empty_call", {.high = 3},
                          Median(creates.many.ours), Median(creates.many.echo),
                          creates.many_by_echo));
  return rows;
}

}  // namespace famfs::bench
