// The controller's HTTP endpoint.
#include <gmock/gmock.h>

#include "dax/emulated.h"
#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

using Health = ControllerTest;

const std::vector<std::string> kHttp = {"--http-endpoint", "tcp://127.0.0.1:0"};

TEST_F(Health, AServingControllerIsHealthyAndReady) {
  MakeDevice();
  StartController(kHttp);
  const std::uint16_t port = rig::HttpPort(controller());
  EXPECT_EQ(rig::Http(port, "/healthz").body, "ok\n");
  EXPECT_EQ(rig::Http(port, "/readyz").body, "ok\n");
}

TEST_F(Health, AMissingPoolIsNotReadyUntilItIsThereWithoutACall) {
  rig::Tmpfs memory;
  const std::string device = memory / "dcd";
  auto flags = kHttp;
  flags.insert(flags.end(), {"--reclaim-interval", "50ms"});
  const auto process =
      Launch("pools:\n  - name: late\n    device: emulated:" + device +
                 "\n    format: if-blank\n",
             flags);
  const std::uint16_t port = rig::HttpPort(*process);
  const rig::HttpReply ready = rig::Http(port, "/readyz");
  EXPECT_EQ(ready.code, 503);
  EXPECT_THAT(ready.body, HasSubstr("late"));
  EXPECT_EQ(rig::Http(port, "/healthz").code, 200);
  const absl::Status made = CreateEmulatedDevice(
      device, {.size = 8 * kGiB, .tag = Uuid::Random(), .sparse = true});
  ASSERT_TRUE(made.ok()) << made;
  EXPECT_TRUE(
      rig::Eventually([&] { return rig::Http(port, "/readyz").code == 200; }));
}

TEST_F(Health, AnHttpEndpointThatIsNoneIsTold) {
  MakeDevice();
  const auto process = Launch(PoolConfig(), {"--http-endpoint", "/x.sock"});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  EXPECT_THAT(process->output(), HasSubstr("is no TCP address"));
}

}  // namespace
}  // namespace famfs
