// The plugin dies, the servers die, both die: volumes stay or come back.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <future>
#include <thread>

#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

class RecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    node_.Start();
    volume_ = pool_.Create();
    staging_ = node_.StagingPath("v1");
    writable_ = node_.TargetPath("pod-a");
    readonly_ = node_.TargetPath("pod-b");
    ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
    ASSERT_THAT(node_.Publish(volume_, staging_, writable_), IsOk());
    ASSERT_THAT(node_.Publish(volume_, staging_, readonly_, true), IsOk());
    node_.Run([&] {
      MappedFile file(writable_ + "/data", true);
      ASSERT_TRUE(file.valid());
      file.Put(0, "before");
    });
  }

  void KillFused() {
    const pid_t pid = node_.FusedPid(pool_.fs_uuid());
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    // While the plugin lives it reaps its child; afterwards we do.
    ASSERT_TRUE(rig::WaitForExit(pid));
  }

  void ExpectRestored() {
    for (const std::string& path : {staging_, writable_, readonly_}) {
      EXPECT_TRUE(node_.WaitUntilServed(path)) << path;
    }
    node_.Run([&] {
      EXPECT_EQ(OpenErrno(readonly_ + "/data", O_RDWR), EROFS);
      MappedFile writing(writable_ + "/data", true);
      const MappedFile reading(readonly_ + "/data", false);
      ASSERT_TRUE(writing.valid() && reading.valid());
      EXPECT_EQ(reading.Text(0, 6), "before");
      writing.Put(0, "after!");
      EXPECT_EQ(reading.Text(0, 6), "after!");
    });
  }

  TestPool pool_;
  TestNode node_{pool_};
  std::string volume_;
  std::string staging_;
  std::string writable_;
  std::string readonly_;
};

TEST_F(RecoveryTest, APluginKilledAndStartedAgainKeepsItsServer) {
  const pid_t server = node_.FusedPid(pool_.fs_uuid());
  node_.Run([&] {
    MappedFile mapping(writable_ + "/data", true);
    ASSERT_TRUE(mapping.valid());
    node_.KillPlugin();
    mapping.Put(0, "no one");
    EXPECT_EQ(OpenErrno(readonly_ + "/data", O_RDONLY), 0);
  });
  node_.Start();
  EXPECT_EQ(node_.FusedPid(pool_.fs_uuid()), server);
  EXPECT_THAT(node_.Stage(volume_, staging_), IsOk());
  EXPECT_THAT(node_.Publish(volume_, staging_, writable_), IsOk());
  EXPECT_THAT(node_.Publish(volume_, staging_, readonly_, false),
              IsError(StatusCode::kAlreadyExists, "read-only"));
  EXPECT_EQ(node_.MountsAt(writable_), 1U);
  EXPECT_THAT(node_.Unpublish(volume_, writable_), IsOk());
  EXPECT_THAT(node_.Unpublish(volume_, readonly_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
}

TEST_F(RecoveryTest, AGracefulStopLeavesMountsAndServer) {
  const pid_t server = node_.FusedPid(pool_.fs_uuid());
  EXPECT_EQ(node_.StopPlugin(), 0);
  EXPECT_EQ(::kill(server, 0), 0);
  EXPECT_FALSE(node_.Exists(node_.socket()));
  node_.Run([&] { EXPECT_EQ(OpenErrno(writable_ + "/data", O_RDWR), 0); });
  node_.Start();
  EXPECT_EQ(node_.FusedPid(pool_.fs_uuid()), server);
}

TEST_F(RecoveryTest, AServerThatDiesIsReplacedAndItsMountsAreBoundAgain) {
  KillFused();
  // A new publication needs no patience ...
  const std::string fresh = node_.TargetPath("pod-c");
  EXPECT_THAT(node_.Publish(volume_, staging_, fresh), IsOk());
  node_.Run([&] { EXPECT_EQ(OpenErrno(fresh + "/data", O_RDWR), 0); });
  // ... and the old ones come back by themselves.
  ExpectRestored();
}

TEST_F(RecoveryTest, MappedMemoryOutlivesItsServer) {
  if (node_.DataPathOf(pool_.fs_uuid()) != "passthrough") {
    GTEST_SKIP() << "needs a kernel with FUSE passthrough (Linux 6.9 or later)";
  }
  node_.Run([&] {
    MappedFile mapping(writable_ + "/data", true);
    ASSERT_TRUE(mapping.valid());
    KillFused();
    ASSERT_TRUE(node_.WaitUntilServed(readonly_));
    mapping.Put(kMiB, "one memory");
    const MappedFile fresh(readonly_ + "/data", false);
    ASSERT_TRUE(fresh.valid());
    EXPECT_EQ(fresh.Text(kMiB, 10), "one memory");
  });
}

TEST_F(RecoveryTest, PluginAndServerDieAndTheNextPluginRestoresAll) {
  node_.KillPlugin();
  KillFused();
  node_.Run(
      [&] { EXPECT_EQ(OpenErrno(writable_ + "/data", O_RDONLY), ENOTCONN); });
  node_.Start();
  ExpectRestored();
}

// A container of a pod that follows the node's mounts (HostToContainer): of
// the node's tree it has nothing but a copy of one publication, which receives
// what is mounted on that.
class FollowingContainer {
 public:
  FollowingContainer(const TestNode& node, const std::string& publication) {
    node.Run([&] {
      ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
      ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr), 0);
      ASSERT_EQ(::mount(publication.c_str(), volume_.path().c_str(), nullptr,
                        MS_BIND, nullptr),
                0);
      ASSERT_EQ(::umount2(node.kubelet().c_str(), MNT_DETACH), 0);
      namespace_ = UniqueFd(::open("/proc/thread-self/ns/mnt", O_RDONLY));
    });
  }

  [[nodiscard]] int OpenErrnoOfData() const {
    int result = 0;
    std::thread([&] {
      ASSERT_EQ(::unshare(CLONE_FS), 0);
      ASSERT_EQ(::setns(namespace_.get(), CLONE_NEWNS), 0);
      result = OpenErrno(volume_.path() + "/data", O_RDWR);
    }).join();
    return result;
  }

 private:
  rig::TempDir volume_;
  UniqueFd namespace_;
};

TEST_F(RecoveryTest, AContainerThatFollowsTheNodeSeesEachNewServer) {
  const FollowingContainer container(node_, writable_);
  EXPECT_EQ(container.OpenErrnoOfData(), 0);
  for (int round = 0; round < 3; ++round) {
    node_.KillPlugin();
    KillFused();
    EXPECT_EQ(container.OpenErrnoOfData(), ENOTCONN);
    node_.Start();
    EXPECT_TRUE(node_.WaitUntilServed(writable_));
    EXPECT_TRUE(
        rig::Eventually([&] { return container.OpenErrnoOfData() == 0; }));
  }
  EXPECT_THAT(node_.Unpublish(volume_, writable_), IsOk());
  EXPECT_EQ(node_.MountsAt(writable_), 0U);
}

TEST_F(RecoveryTest, DeadPublicationsCanBeTakenAwayWithoutTheirDevice) {
  node_.KillPlugin();
  KillFused();
  node_.Configure({{"fast", "emulated:/nonexistent"}});
  node_.Start();
  EXPECT_EQ(node_.MountsAt(writable_), 1U);
  EXPECT_THAT(node_.Stage(volume_, staging_),
              IsError(StatusCode::kUnavailable, "/nonexistent"));
  EXPECT_THAT(node_.Unpublish(volume_, writable_), IsOk());
  EXPECT_THAT(node_.Unpublish(volume_, readonly_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
  EXPECT_FALSE(node_.Exists(writable_));
  EXPECT_EQ(node_.MountsAt(staging_), 0U);
}

TEST_F(RecoveryTest, AVolumeThatWasDeletedMeanwhileIsLeftToUnpublish) {
  node_.KillPlugin();
  KillFused();
  pool_.Delete(volume_);
  const std::string living = pool_.Create({.csi_name = "pvc-2"});
  node_.Start();
  const std::string staging = node_.StagingPath("v2");
  EXPECT_THAT(node_.Stage(living, staging), IsOk());
  EXPECT_THAT(node_.Stage(volume_, staging_),
              IsError(StatusCode::kNotFound, "no volume"));
  EXPECT_THAT(node_.Unpublish(volume_, writable_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
  EXPECT_FALSE(node_.Exists(writable_));
}

TEST_F(RecoveryTest, AServerThatIsMountedNowhereIsReplaced) {
  const pid_t old = node_.FusedPid(pool_.fs_uuid());
  node_.KillPlugin();
  node_.Run([&] {
    const std::string instance =
        fmt::format("{}/plugins/famfs.csi/pools/{}", node_.kubelet(),
                    pool_.fs_uuid().ToString());
    ASSERT_EQ(::umount2(instance.c_str(), MNT_DETACH), 0);
  });
  node_.Start();
  const std::string fresh = node_.TargetPath("pod-c");
  // The clones keep the old server alive; it is given a while to attach.
  EXPECT_TRUE(rig::Eventually(
      [&] { return node_.Publish(volume_, staging_, fresh).ok(); },
      rig::Duration{120'000}));
  EXPECT_NE(node_.FusedPid(pool_.fs_uuid()), old);
  ExpectRestored();
}

}  // namespace
}  // namespace famfs::node
