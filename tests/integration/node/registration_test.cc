// Registration with kubelet: what kubelet is told, and when.
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/integration/node/kubelet.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kFast[] = "topology.famfs.csi/fast";
constexpr char kSlow[] = "topology.famfs.csi/slow";

/// A place for a device that somebody makes later, as a controller does.
class LateDevice {
 public:
  [[nodiscard]] std::string spec() const {
    return "emulated:" + (memory_ / "dcd");
  }
  void Make() {
    const std::string locks = memory_ / "locks";
    fs::create_directory(locks);
    auto device =
        rig::Device::Create(memory_ / "dcd", {.lock_directory = locks});
    ASSERT_TRUE(device.ok()) << Message(device.status());
  }

 private:
  rig::Tmpfs memory_;
};

TEST(Registration, TellsKubeletWhoItIsAndWhereItsSocketStands) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start({"--registration", "self"});
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  node.Run([&] {
    struct stat info = {};
    ASSERT_EQ(::lstat(kubelet.socket().c_str(), &info), 0);
    EXPECT_TRUE(S_ISSOCK(info.st_mode));
    EXPECT_EQ(info.st_mode & 07777, 0600U);
  });
  const auto info = kubelet.GetInfo();
  ASSERT_TRUE(info.ok()) << Message(info.status());
  EXPECT_EQ(info->type(), "CSIPlugin");
  EXPECT_EQ(info->name(), "famfs.csi");
  EXPECT_EQ(info->endpoint(), node.socket());
  EXPECT_THAT(info->supported_versions(), ElementsAre("1.0.0"));
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
  EXPECT_THAT(kubelet.Notify(true, ""), IsOk());
  EXPECT_THAT(node.plugin().WaitForOutput("kubelet has registered famfs.csi"),
              IsOk());
  // Who leaves in order says so by taking the socket away.
  EXPECT_EQ(node.StopPlugin(), 0);
  EXPECT_FALSE(kubelet.SocketIsThere());
}

TEST(Registration, ARefusalIsLoggedOnceAndEndsNothing) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start({"--registration", "self"});
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  const std::string why = "RegisterPlugin error -- " + std::string(300, 'x');
  EXPECT_THAT(kubelet.Notify(false, why), IsOk());
  EXPECT_THAT(kubelet.Notify(false, why), IsOk());
  ASSERT_THAT(node.plugin().WaitForOutput("kubelet refuses to register"),
              IsOk());
  EXPECT_THAT(node.output(), HasSubstr(why));
  EXPECT_THAT(kubelet.Notify(true, ""), IsOk());
  ASSERT_THAT(node.plugin().WaitForOutput("kubelet has registered famfs.csi"),
              IsOk());
  const std::string output = node.output();
  EXPECT_EQ(output.find(why), output.rfind(why));
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
}

TEST(Registration, WaitsForThePoolThatAControllerIsAboutToMake) {
  LateDevice device;
  TestNode node({{"fast", device.spec()}});
  Kubelet kubelet(node);
  node.Start({"--registration", "self", "--pool-wait", "10m"});
  // csi.sock serves all the while.
  EXPECT_THAT(kubelet.TopologyKeys(), IsEmpty());
  EXPECT_FALSE(kubelet.SocketIsThere());
  device.Make();
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
  EXPECT_THAT(node.plugin().WaitForOutput("with 1 of 1 pools"), IsOk());
}

TEST(Registration, RegistersAgainWhenMorePoolsOpen) {
  TestPool fast;
  LateDevice slow;
  TestNode node({{"fast", fast.spec()}, {"slow", slow.spec()}});
  Kubelet kubelet(node);
  node.Start({"--registration", "self", "--pool-wait", "1ms"});
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_THAT(node.plugin().WaitForOutput("with 1 of 2 pools"), IsOk());
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
  slow.Make();
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_THAT(kubelet.TopologyKeys(), UnorderedElementsAre(kFast, kSlow));
  EXPECT_TRUE(kubelet.GetInfo().ok());
  EXPECT_THAT(node.plugin().WaitForOutput("registering again"), IsOk());
}

TEST(Registration, APoolThatIsGoneAgainStaysInTheKeys) {
  LateDevice device;
  device.Make();
  TestNode node({{"fast", device.spec()}});
  Kubelet kubelet(node);
  node.Start({"--registration", "self"});
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  fs::remove_all(device.spec().substr(sizeof("emulated:") - 1));
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
}

TEST(Registration, WithASidecarNodeGetInfoWaitsForThePools) {
  LateDevice device;
  TestNode node({{"fast", device.spec()}});
  Kubelet kubelet(node);
  node.Start({"--registration", "sidecar", "--pool-wait", "10m"});
  device.Make();
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
  EXPECT_FALSE(kubelet.SocketIsThere());
}

TEST(Registration, NobodyRegistersUnlessTold) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start();
  EXPECT_THAT(kubelet.TopologyKeys(), ElementsAre(kFast));
  EXPECT_EQ(node.StopPlugin(), 0);
  EXPECT_FALSE(kubelet.SocketIsThere());
  EXPECT_THAT(node.output(), Not(HasSubstr("kubelet can register")));
}

TEST(Registration, NeedsAKubeletDirectoryWhoseMountsPodsWillSee) {
  TestPool pool;
  TestNode node(pool);
  node.Run([&] {
    ASSERT_EQ(
        ::mount(nullptr, node.kubelet().c_str(), nullptr, MS_PRIVATE, nullptr),
        0);
  });
  for (const std::string mode : {"self", "sidecar"}) {
    const auto plugin = node.Launch({"--registration", mode});
    EXPECT_EQ(plugin->Wait().value_or(-1), 1);
    EXPECT_THAT(plugin->output(), HasSubstr("does not lie on a shared mount"));
    EXPECT_THAT(plugin->output(), HasSubstr("Bidirectional"));
  }
}

TEST(Registration, NeedsASocketThatKubeletCanCall) {
  TestPool pool;
  TestNode node(pool);
  const auto plugin = node.Launch(
      {"--registration", "self", "--endpoint", "tcp://127.0.0.1:0"});
  EXPECT_NE(plugin->Wait().value_or(-1), 0);
  EXPECT_THAT(plugin->output(), HasSubstr("needs a Unix socket"));
}

}  // namespace
}  // namespace famfs::node
