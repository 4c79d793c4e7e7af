// The node plugin's HTTP endpoint: who is healthy, who is ready, and what is
// answered to anybody else.
#include "csi/telemetry/health.h"

#include <unistd.h>

#include <chrono>
#include <fstream>

#include "tests/integration/node/kubelet.h"
#include "tests/integration/support/http.h"

namespace famfs::node {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kSelf = {"--registration", "self",
                                        "--http-endpoint", "tcp://127.0.0.1:0"};

TEST(Health, AServingPluginIsHealthyAndReady) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kSelf);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  for (const char* page : {"/healthz", "/readyz"}) {
    const rig::HttpReply reply = rig::Http(port, page);
    EXPECT_EQ(reply.code, 200) << page;
    EXPECT_EQ(reply.body, "ok\n") << page;
  }
}

TEST(Health, AMissingPoolIsNotReadyButHealthy) {
  rig::Tmpfs memory;
  TestNode node({{"fast", "emulated:" + (memory / "dcd")}});
  node.Start(kSelf);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  const rig::HttpReply ready = rig::Http(port, "/readyz");
  EXPECT_EQ(ready.code, 503);
  EXPECT_THAT(ready.body, HasSubstr("fast"));
  EXPECT_EQ(rig::Http(port, "/healthz").code, 200);
  auto device = rig::Device::Create(memory / "dcd");
  ASSERT_TRUE(device.ok()) << Message(device.status());
  EXPECT_TRUE(
      rig::Eventually([&] { return rig::Http(port, "/readyz").code == 200; }));
}

TEST(Health, APoolThatThisHostMayNotSeeIsNotMissed) {
  TestPool pool;
  TestPool elsewhere("elsewhere");
  const std::string file =
      elsewhere.spec().substr(elsewhere.spec().find(':') + 1) + "/device.yaml";
  std::ofstream(file, std::ios::app) << "hosts: [another-host]\n";
  TestNode node(
      {{pool.name(), pool.spec()}, {elsewhere.name(), elsewhere.spec()}});
  Kubelet kubelet(node);
  // The patience for pools that are missing would last longer than the test's.
  node.Start({"--registration", "self", "--pool-wait", "1h", "--http-endpoint",
              "tcp://127.0.0.1:0"});
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_EQ(rig::Http(rig::HttpPort(node.plugin()), "/readyz").code, 200);
  EXPECT_THAT(node.output(), HasSubstr("another-host"));
}

TEST(Health, APoolThatTheConfigurationGivesToOthersIsNotMissed) {
  TestPool pool;
  rig::Tmpfs memory;
  TestNode node({{pool.name(), pool.spec()},
                 {"elsewhere",
                  "emulated:" + (memory / "not-here"),
                  {},
                  "{size: 4G, hosts: [another-host]}"}});
  Kubelet kubelet(node);
  node.Start({"--registration", "self", "--pool-wait", "1h", "--http-endpoint",
              "tcp://127.0.0.1:0"});
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_EQ(rig::Http(rig::HttpPort(node.plugin()), "/readyz").code, 200);
}

TEST(Health, ARegistrationSocketOfAnotherProcessIsUnhealthy) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  const std::uint16_t port = rig::HttpPort(node.plugin());
  UniqueFd other;
  node.Run([&] {
    ASSERT_EQ(::unlink(kubelet.socket().c_str()), 0);
    other = ListenOn(kubelet.socket());
  });
  const rig::HttpReply reply = rig::Http(port, "/healthz");
  EXPECT_EQ(reply.code, 503);
  EXPECT_THAT(reply.body, HasSubstr(kubelet.socket()));
  EXPECT_EQ(rig::Http(port, "/readyz").code, 200);
  other.reset();
  EXPECT_TRUE(
      rig::Eventually([&] { return rig::Http(port, "/healthz").code == 200; }));
}

TEST(Health, ACsiSocketThatSomebodyTookAwayIsUnhealthyInTheEnd) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kSelf);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  // Before the first Probe, which would keep its connection.
  ASSERT_EQ(::unlink(node.socket().c_str()), 0);
  EXPECT_EQ(rig::Http(port, "/healthz").code, 503);
}

TEST(Health, AnAnswerComesThoughTheDriverHangs) {
  rig::TempDir dir;
  const UniqueFd deaf = ListenOn(dir / "csi.sock");
  const auto server = csi::StartHttp(
      {.http_endpoint = "tcp://127.0.0.1:0",
       .csi_endpoint = csi::ParseEndpoint(dir / "csi.sock").value(),
       .ready = [] { return absl::OkStatus(); }});
  ASSERT_TRUE(server.ok()) << Message(server.status());
  const auto start = std::chrono::steady_clock::now();
  const rig::HttpReply reply =
      rig::Http((*server)->endpoint().port, "/healthz");
  EXPECT_EQ(reply.code, 503);
  EXPECT_THAT(reply.body, HasSubstr("did not answer a Probe within 900 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(HttpEndpoint, AnswersOnlyWhatItHas) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kSelf);
  const std::uint16_t port = rig::HttpPort(node.plugin());
  for (const char* path :
       {"/", "/healthz/", "/healthz/x", "/etc/passwd", "/../etc/passwd",
        "/%2e%2e/etc/passwd", "//", "/HEALTHZ"}) {
    EXPECT_EQ(rig::Http(port, path).code, 404) << path;
  }
  EXPECT_THAT(rig::Http(port, "/").body, HasSubstr("/healthz"));
  EXPECT_EQ(rig::Http(port, "/healthz?verbose=1").code, 200);
  EXPECT_EQ(rig::Http(port, "/healthz", "POST").code, 405);
  EXPECT_EQ(rig::Http(port, "/healthz", "DELETE").code, 405);
  const rig::HttpReply head = rig::Http(port, "/healthz", "HEAD");
  EXPECT_EQ(head.code, 200);
  EXPECT_THAT(head.body, IsEmpty());
}

TEST(HttpEndpoint, NoneUnlessTold) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  EXPECT_EQ(node.StopPlugin(), 0);
  EXPECT_EQ(node.output().find("HTTP on"), std::string::npos);
}

TEST(HttpEndpoint, ThatIsNoneEndsTheProgramBeforeAnythingIsMounted) {
  TestPool pool;
  TestNode node(pool);
  for (const std::string endpoint : {"unix:///x.sock", "tcp://nowhere"}) {
    const auto plugin = node.Launch({"--http-endpoint", endpoint});
    EXPECT_EQ(plugin->Wait().value_or(-1), 1) << endpoint;
    EXPECT_THAT(plugin->output(), HasSubstr(endpoint));
    EXPECT_FALSE(node.Exists(node.kubelet() + "/plugins"));
  }
}

TEST(HttpEndpoint, ThatIsTakenIsNamed) {
  const auto start = [](const std::string& endpoint) {
    return csi::StartHttp(
        {.http_endpoint = endpoint,
         .csi_endpoint = csi::ParseEndpoint("unix:///csi.sock").value(),
         .ready = [] { return absl::OkStatus(); }});
  };
  const auto first = start("tcp://127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << Message(first.status());
  const std::string taken = (*first)->endpoint().ToString();
  EXPECT_THAT(start(taken).status(),
              IsError(absl::StatusCode::kUnavailable, taken));
}

}  // namespace
}  // namespace famfs::node
