// A pool whose device does not answer: what it lies on is a file system that
// stands still. Everything else on the node goes on.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>

#include <algorithm>
#include <chrono>

#include "tests/integration/node/test_node.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs::node {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// Over the data path copy no more than one node may write.
constexpr auto kMode = Mode::SINGLE_NODE_WRITER;
// A call waits three seconds for a device; a loaded machine takes its time.
constexpr std::chrono::seconds kBounded{8};

/// The pool `hung` is the image of a TestPool, seen through one_file_fs. It
/// comes first in the configuration.
class HungPoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    quick_volume_ = quick_.Create({.csi_name = "quick"});
    // Before anybody has its pages in a cache.
    hung_volume_ = image_.Create({.csi_name = "slow"});
    const std::string image =
        image_.spec().substr(std::string("image:").size());
    auto below =
        rig::Process::Start({.argv = {FAMFS_ONE_FILE_FS, image, mount_.path()},
                             .mount_namespace = node_.mount_namespace()});
    ASSERT_TRUE(below.ok()) << Message(below.status());
    below_ = *std::move(below);
    ASSERT_THAT(below_->WaitForOutput("serves"), IsOk());
    node_.Configure({{"hung", "image:" + mount_ / "image"},
                     {quick_.name(), quick_.spec()}});
  }
  void TearDown() override {
    if (below_ == nullptr) return;
    below_->Signal(SIGCONT);
    node_.StopPlugin();
    node_.Run([&] {
      // The pool's server has it mapped.
      EXPECT_EQ(::umount2(mount_.path().c_str(), MNT_DETACH), 0);
    });
  }
  void Start() {
    node_.Start({"--http-endpoint", "tcp://127.0.0.1:0"});
    port_ = rig::HttpPort(node_.plugin());
  }
  void StandStill() { ASSERT_TRUE(rig::StandStill(below_->pid())); }

  void ExpectTheOtherPoolGoesOn() {
    const auto start = Clock::now();
    const std::string staging = node_.StagingPath("quick");
    const std::string target = node_.TargetPath("pod-quick");
    EXPECT_THAT(node_.Stage(quick_volume_, staging, kMode), IsOk());
    EXPECT_THAT(node_.Publish(quick_volume_, staging, target, false, kMode),
                IsOk());
    EXPECT_TRUE(node_.Stats(quick_volume_, target).ok());
    EXPECT_THAT(node_.Unpublish(quick_volume_, target), IsOk());
    EXPECT_THAT(node_.Unstage(quick_volume_, staging), IsOk());
    EXPECT_LT(Clock::now() - start, kBounded);
  }
  void ExpectTheHungPoolIsNamed() {
    const auto start = Clock::now();
    EXPECT_THAT(node_.Stage(hung_volume_, node_.StagingPath("slow"), kMode),
                IsError(StatusCode::kUnavailable, "pool hung: its device"));
    EXPECT_LT(Clock::now() - start, kBounded);
    EXPECT_TRUE(rig::Eventually([&] {
      const rig::HttpReply ready = rig::Http(port_, "/readyz");
      return ready.code == 503 &&
             ready.body.find("hung (its device does not answer)") !=
                 std::string::npos;
    }));
    EXPECT_EQ(rig::Http(port_, "/healthz").code, 200);
    const rig::Scrape scrape(port_);
    EXPECT_EQ(scrape.Value(R"(famfs_csi_node_pool_open{pool="hung"})"), 0);
    EXPECT_EQ(scrape.Value(R"(famfs_csi_node_pool_open{pool="fast"})"), 1);
  }
  std::vector<std::string> TopologyKeys() {
    const auto start = Clock::now();
    const auto info = rig::Call(node_.stub(), &pb::Node::Stub::NodeGetInfo,
                                pb::NodeGetInfoRequest());
    EXPECT_TRUE(info.ok()) << Message(info.status());
    EXPECT_LT(Clock::now() - start, kBounded);
    std::vector<std::string> keys;
    if (!info.ok()) return keys;
    for (const auto& [key, value] : info->accessible_topology().segments()) {
      keys.push_back(key.substr(key.find('/') + 1));
    }
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  void ExpectAllIsWellAgain() {
    below_->Signal(SIGCONT);
    EXPECT_TRUE(rig::Eventually(
        [&] { return rig::Http(port_, "/readyz").code == 200; }));
    EXPECT_THAT(node_.Stage(hung_volume_, node_.StagingPath("slow"), kMode),
                IsOk());
    EXPECT_THAT(node_.Unstage(hung_volume_, node_.StagingPath("slow")), IsOk());
    EXPECT_THAT(TopologyKeys(), ::testing::ElementsAre("fast", "hung"));
  }

  TestPool quick_;
  TestPool image_{"image", true};
  rig::TempDir mount_{"famfs-one-file"};
  TestNode node_{quick_};
  std::unique_ptr<rig::Process> below_;
  std::string quick_volume_;
  std::string hung_volume_;
  std::uint16_t port_ = 0;
};

TEST_F(HungPoolTest, OneThatHangsWhenItIsOpenStopsNoOther) {
  Start();
  EXPECT_TRUE(
      rig::Eventually([&] { return rig::Http(port_, "/readyz").code == 200; }));
  EXPECT_THAT(node_.Stage(hung_volume_, node_.StagingPath("slow"), kMode),
              IsOk());
  StandStill();
  ExpectTheOtherPoolGoesOn();
  ExpectTheHungPoolIsNamed();
  ExpectTheOtherPoolGoesOn();
  EXPECT_THAT(TopologyKeys(), ::testing::ElementsAre("fast", "hung"));
  ExpectAllIsWellAgain();
}

TEST_F(HungPoolTest, OneThatHangsFromTheBeginningStopsNoOther) {
  StandStill();
  Start();
  ExpectTheOtherPoolGoesOn();
  ExpectTheHungPoolIsNamed();
  EXPECT_THAT(TopologyKeys(), ::testing::ElementsAre("fast"));
  ExpectAllIsWellAgain();
}

TEST_F(HungPoolTest, AVolumeOfNoPoolMayLieInTheOneThatHangs) {
  Start();
  EXPECT_THAT(node_.Stage("v1:00000000:nothing", node_.StagingPath("n"), kMode),
              IsError(StatusCode::kNotFound, ""));
  StandStill();
  const auto start = Clock::now();
  EXPECT_THAT(node_.Stage("v1:00000000:nothing", node_.StagingPath("n"), kMode),
              IsError(StatusCode::kUnavailable, "pool hung"));
  EXPECT_LT(Clock::now() - start, kBounded);
}

}  // namespace
}  // namespace famfs::node
