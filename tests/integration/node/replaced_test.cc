// A pool's device is made anew while pods use its volumes: the node serves the
// new instance by itself, and nothing of the old one ever leads there.
#include <fcntl.h>
#include <signal.h>

#include <cerrno>

#include "tests/integration/node/test_node.h"
#include "tests/integration/support/http.h"
#include "tests/integration/support/metrics.h"

namespace famfs::node {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

// Over the data path copy no more than one node may write.
constexpr auto kMode = Mode::SINGLE_NODE_WRITER;

class ReplacedTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    node_.Start({"--http-endpoint", "tcp://127.0.0.1:0"});
    old_uuid_ = pool_.fs_uuid();
    old_ = Mount("old");
    old_server_ = node_.FusedPid(old_uuid_);
    Write("old", "old bytes");
  }
  /// Creates a volume, stages it and publishes it, each until it works: the
  /// plugin may still learn of a new instance. Its id.
  std::string Mount(const std::string& name) {
    const std::string volume = pool_.Create({.csi_name = name});
    const std::string staging = node_.StagingPath(name);
    absl::Status status;
    EXPECT_TRUE(rig::Eventually([&] {
      status = node_.Stage(volume, staging, kMode);
      return status.ok();
    })) << status;
    EXPECT_THAT(
        node_.Publish(volume, staging, node_.TargetPath(name), false, kMode),
        IsOk());
    return volume;
  }
  std::string File(const std::string& name) {
    return node_.TargetPath(name) + "/data";
  }
  void Write(const std::string& name, const std::string& text) {
    node_.Run([&] {
      const UniqueFd file(::open(File(name).c_str(), O_RDWR | O_CLOEXEC));
      ASSERT_TRUE(file.valid()) << errno;
      ASSERT_EQ(::pwrite(file.get(), text.data(), text.size(), 0),
                static_cast<ssize_t>(text.size()));
    });
  }
  std::string Read(const std::string& name, std::size_t length) {
    std::string text(length, '?');
    node_.Run([&] {
      const UniqueFd file(::open(File(name).c_str(), O_RDONLY | O_CLOEXEC));
      ASSERT_TRUE(file.valid()) << errno;
      ASSERT_EQ(::pread(file.get(), text.data(), length, 0),
                static_cast<ssize_t>(length));
    });
    return text;
  }
  /// What opening the old volume's file says, in the end.
  bool OldEndsWith(int expected) {
    return rig::Eventually([&] {
      int error = 0;
      node_.Run([&] { error = OpenErrno(File("old"), O_RDWR); });
      return error == expected;
    });
  }
  double DeadMounts() {
    return rig::Scrape(rig::HttpPort(node_.plugin()))
        .Value("famfs_csi_node_dead_mounts");
  }
  /// In the pools directory.
  bool LeftOfTheOldOne() {
    const std::string path = node_.PoolPath(old_uuid_);
    for (const char* kind : {"", ".lock", ".devices", ".memory"}) {
      if (node_.Exists(path + kind)) return true;
    }
    return false;
  }
  void ExpectOldIsUnknown() {
    EXPECT_THAT(node_.Stage(old_, node_.StagingPath("old"), kMode),
                IsError(StatusCode::kNotFound, ""));
    EXPECT_THAT(node_.Publish(old_, node_.StagingPath("old"),
                              node_.TargetPath("old-2"), false, kMode),
                IsError(StatusCode::kNotFound, ""));
  }

  TestPool pool_{"fast", GetParam()};
  TestNode node_{pool_};
  Uuid old_uuid_;
  std::string old_;
  pid_t old_server_ = -1;
};

TEST_P(ReplacedTest, ANewInstanceIsServedWithoutARestart) {
  pool_.MakeAnew();
  Mount("new");
  EXPECT_NE(node_.FusedPid(pool_.fs_uuid()), old_server_);
  Write("new", "new bytes");
  EXPECT_TRUE(OldEndsWith(ESTALE));
  ExpectOldIsUnknown();
  EXPECT_EQ(Read("new", 9), "new bytes");
  EXPECT_THAT(node_.output(), HasSubstr("dead for good"));
  const std::uint16_t port = rig::HttpPort(node_.plugin());
  EXPECT_EQ(rig::Scrape(port).Value(
                R"(famfs_csi_node_pool_replacements_total{pool="fast"})"),
            1);
  EXPECT_EQ(rig::Http(port, "/readyz").code, 200);
}

TEST_P(ReplacedTest, OldMountsAreNeverBoundToTheNewInstance) {
  pool_.MakeAnew();
  Mount("new");
  ASSERT_EQ(::kill(old_server_, SIGKILL), 0);
  ASSERT_TRUE(rig::WaitForExit(old_server_));
  EXPECT_TRUE(OldEndsWith(ENOTCONN));
  // A new plugin and a new server look for what is to be bound again.
  node_.KillPlugin();
  const pid_t server = node_.FusedPid(pool_.fs_uuid());
  ASSERT_EQ(::kill(server, SIGKILL), 0);
  ASSERT_TRUE(rig::WaitForExit(server));
  node_.Start();
  EXPECT_TRUE(node_.WaitUntilServed(node_.TargetPath("new")));
  EXPECT_TRUE(OldEndsWith(ENOTCONN));
  ExpectOldIsUnknown();
  EXPECT_EQ(node_.MountsAt(node_.TargetPath("old")), 1U);
}

TEST_P(ReplacedTest, OldVolumesCanBeUnpublishedAndUnstaged) {
  pool_.MakeAnew();
  Mount("new");
  EXPECT_THAT(node_.Unpublish(old_, node_.TargetPath("old")), IsOk());
  EXPECT_THAT(node_.Unstage(old_, node_.StagingPath("old")), IsOk());
  EXPECT_EQ(node_.MountsAt(node_.TargetPath("old")), 0U);
  EXPECT_EQ(node_.MountsAt(node_.StagingPath("old")), 0U);
}

TEST_P(ReplacedTest, WhatIsLeftOfItGoesWithItsLastMount) {
  pool_.MakeAnew();
  Mount("new");
  Write("new", "new bytes");
  EXPECT_TRUE(OldEndsWith(ESTALE));
  EXPECT_EQ(DeadMounts(), 2);
  EXPECT_TRUE(LeftOfTheOldOne());
  EXPECT_THAT(node_.Unpublish(old_, node_.TargetPath("old")), IsOk());
  EXPECT_EQ(DeadMounts(), 1);
  EXPECT_THAT(node_.Unstage(old_, node_.StagingPath("old")), IsOk());
  EXPECT_TRUE(rig::Eventually([&] { return !LeftOfTheOldOne(); }))
      << node_.output();
  EXPECT_TRUE(rig::WaitForExit(old_server_));
  EXPECT_EQ(DeadMounts(), 0);
  EXPECT_EQ(Read("new", 9), "new bytes");
}

TEST_P(ReplacedTest, APluginThatNeverSawItRemovesWhatIsLeftOfIt) {
  node_.KillPlugin();
  ASSERT_EQ(::kill(old_server_, SIGKILL), 0);
  ASSERT_TRUE(rig::WaitForExit(old_server_));
  pool_.MakeAnew();
  node_.Start({"--http-endpoint", "tcp://127.0.0.1:0"});
  Mount("new");
  EXPECT_EQ(DeadMounts(), 2);
  EXPECT_THAT(node_.Unstage(old_, node_.StagingPath("old")), IsOk());
  EXPECT_TRUE(LeftOfTheOldOne());
  EXPECT_THAT(node_.Unpublish(old_, node_.TargetPath("old")), IsOk());
  EXPECT_TRUE(rig::Eventually([&] { return !LeftOfTheOldOne(); }))
      << node_.output();
  EXPECT_EQ(DeadMounts(), 0);
  Write("new", "new bytes");
}

TEST_P(ReplacedTest, APoolThatIsRemovedIsNotReadyUntilItIsMadeAgain) {
  const std::uint16_t port = rig::HttpPort(node_.plugin());
  pool_.Remove();
  EXPECT_TRUE(
      rig::Eventually([&] { return rig::Http(port, "/readyz").code == 503; }));
  EXPECT_THAT(node_.Stage(old_, node_.StagingPath("old"), kMode),
              IsError(StatusCode::kUnavailable, "no longer"));
  pool_.MakeAgain();
  Mount("new");
  EXPECT_TRUE(OldEndsWith(ESTALE));
  ExpectOldIsUnknown();
  EXPECT_EQ(rig::Http(port, "/readyz").code, 200);
}

// A dax device whose namespace was disabled and enabled: another device, the
// same instance. Nobody has to end pods or servers for it.
TEST_P(ReplacedTest, TheSameInstanceOnMemoryThatCameBackIsServedAgain) {
  pool_.ComeBack();
  ASSERT_TRUE(rig::WaitForExit(old_server_)) << node_.output();
  EXPECT_TRUE(node_.WaitUntilServed(node_.TargetPath("old"))) << node_.output();
  EXPECT_EQ(Read("old", 9), "old bytes");
  EXPECT_NE(node_.FusedPid(old_uuid_), old_server_);
  Mount("new");
  Write("new", "new bytes");
  EXPECT_EQ(Read("new", 9), "new bytes");
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReplacedTest, ::testing::Bool(),
                         [](const auto& kind) {
                           return kind.param ? "Image" : "Emulated";
                         });

}  // namespace
}  // namespace famfs::node
