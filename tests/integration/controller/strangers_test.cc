// What anybody who reaches the controller's ports can do to those who matter:
// csi.sock and the health checks.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/flood.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/slow_clients.h"
#include "tests/integration/support/unread_calls.h"
#include "tests/integration/support/wait.h"

namespace famfs {
namespace {

using std::chrono::steady_clock;

class Strangers : public ControllerTest {
 protected:
  void SetUp() override {
    rlimit limit = {};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    ASSERT_GE(limit.rlim_max, 4096U) << "too few descriptors for this test";
    MakeDevice();
  }

  void Start(const std::string& host) {
    StartController({"--http-endpoint", "tcp://" + host + ":0",
                     "--query-endpoint", "tcp://" + host + ":0"});
    http_ = rig::HttpPort(controller());
    const std::string address = rig::AddressOf(controller(), "questions");
    query_ = static_cast<std::uint16_t>(
        std::stoi(address.substr(address.rfind(':') + 1)));
  }

  static std::vector<UniqueFd> Connections(std::uint16_t port, int count) {
    std::vector<UniqueFd> connections;
    for (int i = 0; i < count; ++i) {
      connections.push_back(rig::ConnectTcp("127.0.0.1", port));
    }
    return connections;
  }

  // As somebody who has never spoken to it before.
  void ExpectService(const std::string& name) {
    const auto newcomer = pb::Identity::NewStub(rig::Connect(socket()));
    const auto probed = rig::Call(*newcomer, &pb::Identity::Stub::Probe,
                                  pb::ProbeRequest(), rig::Duration{10'000});
    EXPECT_TRUE(probed.ok()) << probed.status();
    const auto created = Create(name, 2 * kMiB);
    EXPECT_TRUE(created.ok()) << created.status();
  }

  // What kubelet asks, as long as it waits.
  void ExpectHealth(const std::string& host = "127.0.0.1") {
    const auto start = steady_clock::now();
    EXPECT_EQ(rig::Http(http_, "/healthz", "GET", host).code, 200);
    EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(1));
  }

  std::uint16_t http_ = 0;
  std::uint16_t query_ = 0;
};

TEST_F(Strangers, ManyIdleConnectionsLeaveTheDriversSocketAlone) {
  LimitDescriptors(1024);
  Start("127.0.0.1");
  {
    const auto idle = Connections(query_, 1'100);
    ExpectService("pvc-1");
    ExpectHealth();
    const auto more = Connections(http_, 1'100);
    ExpectService("pvc-2");
    ExpectHealth();
  }
  ExpectService("pvc-3");
  ExpectHealth();
  // The ports themselves serve again, too.
  const auto questions = pb::Controller::NewStub(grpc::CreateChannel(
      fmt::format("127.0.0.1:{}", query_), grpc::InsecureChannelCredentials()));
  EXPECT_TRUE(rig::Eventually([&] {
    const auto listed =
        rig::Call(*questions, &pb::Controller::Stub::ListVolumes,
                  pb::ListVolumesRequest());
    EXPECT_TRUE(listed.ok()) << listed.status();
    return !listed.ok() || listed->entries_size() == 3;
  }));
  EXPECT_EQ(controller().Stop().value_or(-1), 0) << controller().output();
}

TEST_F(Strangers, SlowClientsDoNotSlowTheHealthCheck) {
  Start("127.0.0.1");
  const rig::SlowClients slow("127.0.0.1", http_, 40);
  for (int i = 0; i < 10; ++i) ExpectHealth();
}

class Flooded : public Strangers,
                public ::testing::WithParamInterface<rig::Flood::Kind> {};

TEST_P(Flooded, EveryHealthCheckIsAnswered) {
  Start("127.0.0.1");
  constexpr int kProbes = 100;
  for (const int addresses : {2, 16}) {
    int answered = 0;
    int in_a_row = 0;
    int most_in_a_row = 0;  // that were not answered
    std::chrono::steady_clock::duration longest{};
    const rig::Flood flood(http_, GetParam(), addresses);
    for (int i = 0; i < kProbes; ++i) {
      // Some of the flood between one probe and the next.
      const std::uint64_t before = flood.connections();
      EXPECT_TRUE(
          rig::Eventually([&] { return flood.connections() > before + 20; }));
      const auto start = steady_clock::now();
      const bool ok = rig::Http(http_, "/healthz").code == 200;
      answered += ok ? 1 : 0;
      in_a_row = ok ? 0 : in_a_row + 1;
      most_in_a_row = std::max(most_in_a_row, in_a_row);
      longest = std::max(longest, steady_clock::now() - start);
    }
    // Whole requests from many addresses are what kubelet sends, too; it ends a
    // container after five in a row that were not answered.
    if (GetParam() == rig::Flood::Kind::kAsk && addresses > 2) {
      EXPECT_LE(most_in_a_row, 3) << answered << " answered";
    } else {
      EXPECT_EQ(answered, kProbes) << addresses << " addresses";
    }
    EXPECT_LT(longest, std::chrono::seconds(1));
  }
  ExpectService("pvc");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Flooded,
                         ::testing::Values(rig::Flood::Kind::kLeave,
                                           rig::Flood::Kind::kStay,
                                           rig::Flood::Kind::kAsk));

TEST_F(Strangers, BothFamiliesOfAddressesAreServed) {
  Start("[::]");
  const rig::SlowClients slow("::1", http_, 40);
  for (int i = 0; i < 5; ++i) {
    ExpectHealth("::1");
    ExpectHealth("127.0.0.1");
  }
  const auto questions = pb::Controller::NewStub(
      grpc::CreateChannel(fmt::format("ipv6:[::1]:{}", query_),
                          grpc::InsecureChannelCredentials()));
  const auto listed = rig::Call(*questions, &pb::Controller::Stub::ListVolumes,
                                pb::ListVolumesRequest());
  EXPECT_TRUE(listed.ok()) << listed.status();
}

// What a process has for itself: no memory of pools in it.
struct Footprint {
  explicit Footprint(pid_t pid) {
    std::istringstream status(
        rig::ReadWholeFile(fmt::format("/proc/{}/status", pid)));
    for (std::string line; std::getline(status, line);) {
      std::istringstream words(line);
      std::string name;
      long value = 0;
      words >> name >> value;
      if (name == "RssAnon:") mib = value / 1024;
      if (name == "Threads:") threads = value;
    }
  }
  long mib = 0;
  long threads = 0;
};

class Unread : public Strangers {
 protected:
  static constexpr const char* kList = "/csi.v1.Controller/ListVolumes";

  void SetUp() override {
    Strangers::SetUp();
    Start("127.0.0.1");
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(Create(fmt::format("pvc-{}", i), 2 * kMiB).ok());
    }
    ASSERT_TRUE(rig::Eventually(
        [this] { return AskAsOthersDo().entries_size() == 200; }));  // a page
  }

  // A client that reads its answers.
  pb::ListVolumesResponse AskAsOthersDo() {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = pb::Controller::NewStub(
        grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", query_),
                                  grpc::InsecureChannelCredentials(), own));
    const auto listed = rig::Call(*stub, &pb::Controller::Stub::ListVolumes,
                                  pb::ListVolumesRequest());
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.value_or(pb::ListVolumesResponse());
  }
  Footprint Now() { return Footprint(controller().pid()); }
};

TEST_F(Unread, AnswersCostLittleMemoryAndNoThreads) {
  const Footprint before = Now();
  const auto costs_little = [&] {
    const Footprint now = Now();
    return now.threads <= before.threads + 8 && now.mib <= before.mib + 32;
  };
  for (const char* name : {"pvc-during", "pvc-during-again"}) {
    rig::UnreadCalls client(query_);
    for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(client.Ask(kList));
    ASSERT_TRUE(client.WaitUntilTaken());
    EXPECT_EQ(AskAsOthersDo().entries_size(), 200);
    ExpectService(name);
    EXPECT_TRUE(costs_little());
  }
  EXPECT_TRUE(rig::Eventually(costs_little))
      << Now().threads << " threads, " << Now().mib << " MiB; before "
      << before.threads << " and " << before.mib;
  ExpectService("pvc-after");
}

TEST_F(Unread, ManyConnectionsOfThemAreBoundedTogether) {
  const Footprint before = Now();
  std::vector<rig::UnreadCalls> clients;
  for (int i = 0; i < 40; ++i) {
    clients.emplace_back(query_);
    for (int k = 0; k < 100 && clients.back().Ask(kList); ++k) {
    }
  }
  ExpectService("pvc-during");
  const Footprint during = Now();
  EXPECT_LE(during.threads, before.threads + 8);
  EXPECT_LE(during.mib, before.mib + 64);
}

TEST_F(Unread, QuestionsDoNotFillTheLog) {
  const auto lines = [this] {
    const std::string output = controller().output();
    return std::count(output.begin(), output.end(), '\n');
  };
  const auto before = lines();
  const auto stub = pb::Controller::NewStub(grpc::CreateChannel(
      fmt::format("127.0.0.1:{}", query_), grpc::InsecureChannelCredentials()));
  const auto ask = [&stub] {
    return rig::Call(*stub, &pb::Controller::Stub::ControllerGetCapabilities,
                     pb::ControllerGetCapabilitiesRequest())
        .ok();
  };
  const auto start = steady_clock::now();
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(ask());
  // One is told in the end, also where all came in the pause between two.
  EXPECT_TRUE(rig::Eventually([&] { return ask() && lines() > before; }));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
                           steady_clock::now() - start)
                           .count();
  EXPECT_LE(lines(), before + 20 + seconds);
}

}  // namespace
}  // namespace famfs
