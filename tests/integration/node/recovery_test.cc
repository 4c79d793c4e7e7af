// The plugin dies, the servers die, both die: volumes stay or come back.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <future>
#include <thread>

#include "tests/integration/node/fuse_question.h"
#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;
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

// kubelet binds a subPath from the publication, in the pod's own directory.
class SubPathTest : public RecoveryTest {
 protected:
  /// The file of the volume as the container has it; its own place.
  std::string BindSubPath(const std::string& pod, const std::string& target) {
    const std::string place = fmt::format(
        "{}/pods/{}/volume-subpaths/pv/main/0", node_.kubelet(), pod);
    node_.Run([&] {
      fs::create_directories(fs::path(place).parent_path());
      rig::WriteFile(place, "");
      ASSERT_EQ(::mount((target + "/data").c_str(), place.c_str(), nullptr,
                        MS_BIND, nullptr),
                0);
    });
    return place;
  }
  int OpenErrnoAt(const std::string& path, int flags) const {
    int result = 0;
    node_.Run([&] { result = OpenErrno(path, flags); });
    return result;
  }
};

TEST_F(SubPathTest, IsBoundAgainAndAReadOnlyOneStaysSo) {
  const std::string one = BindSubPath("pod-a", writable_);
  const std::string read = BindSubPath("pod-b", readonly_);
  for (const bool plugin_dies : {false, true}) {
    if (plugin_dies) node_.KillPlugin();
    KillFused();
    if (plugin_dies) node_.Start();
    EXPECT_TRUE(rig::Eventually([&] {
      return OpenErrnoAt(one, O_RDWR) == 0 && OpenErrnoAt(read, O_RDONLY) == 0;
    }));
    EXPECT_EQ(OpenErrnoAt(read, O_RDWR), EROFS);
    EXPECT_THAT(node_.TopOptions(read), HasSubstr("ro"));
  }
  node_.Run([&] {
    MappedFile writing(one, true);
    const MappedFile reading(read, false);
    ASSERT_TRUE(writing.valid() && reading.valid());
    writing.Put(0, "by part");
    EXPECT_EQ(reading.Text(0, 7), "by part");
  });
  // A dead one lies below; kubelet takes away the topmost until none is left.
  node_.Run([&] {
    for (const std::string& place : {one, read}) {
      EXPECT_EQ(::umount2(place.c_str(), 0), 0);
      EXPECT_EQ(::umount2(place.c_str(), 0), 0);
      EXPECT_EQ(fs::file_size(place), 0U) << "kubelet's own file";
    }
  });
  EXPECT_THAT(node_.Unpublish(volume_, writable_), IsOk());
  EXPECT_THAT(node_.Unpublish(volume_, readonly_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
}

TEST_F(SubPathTest, IsReachedThroughNoLinkAndOnlyInTheKubeletsDirectory) {
  const std::string inside = BindSubPath("pod-a", writable_);
  const rig::TempDir elsewhere;
  const std::string outside = elsewhere / "file";
  node_.Run([&] {
    rig::WriteFile(outside, "");
    ASSERT_EQ(::mount((writable_ + "/data").c_str(), outside.c_str(), nullptr,
                      MS_BIND, nullptr),
              0);
    // Otherwise it would follow the publication.
    ASSERT_EQ(::mount(nullptr, outside.c_str(), nullptr, MS_PRIVATE, nullptr),
              0);
  });
  KillFused();
  EXPECT_TRUE(
      rig::Eventually([&] { return OpenErrnoAt(inside, O_RDWR) == 0; }));
  EXPECT_TRUE(node_.WaitUntilServed(staging_));
  EXPECT_EQ(OpenErrnoAt(outside, O_RDWR), ENOTCONN);
  node_.Run([&] { EXPECT_EQ(::umount2(outside.c_str(), MNT_DETACH), 0); });
}

// The plugin has no capability that overrides permissions, but for looking
// into directories.
TEST_F(SubPathTest, IsBoundAgainBelowADirectoryThatItsUsersAloneEnter) {
  const std::string secret = pool_.Create(
      {.csi_name = "pvc-2", .owner = {.uid = 1000, .gid = 1000, .mode = 0700}});
  const std::string staging = node_.StagingPath("v2");
  const std::string target = node_.TargetPath("pod-c");
  ASSERT_THAT(node_.Stage(secret, staging), IsOk());
  ASSERT_THAT(node_.Publish(secret, staging, target), IsOk());
  const std::string bound = BindSubPath("pod-c", target);
  KillFused();
  EXPECT_TRUE(rig::Eventually([&] { return OpenErrnoAt(bound, O_RDWR) == 0; }));
  node_.Run([&] { EXPECT_EQ(::umount2(bound.c_str(), MNT_DETACH), 0); });
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

// What a call meets between two servers: the instance's directory is empty.
TEST_F(RecoveryTest, AVolumeThatIsNotServedNowIsUnavailableNotMissing) {
  node_.Run([&] {
    const std::string instance =
        fmt::format("{}/plugins/famfs.csi/pools/{}", node_.kubelet(),
                    pool_.fs_uuid().ToString());
    ASSERT_EQ(::umount2(instance.c_str(), MNT_DETACH), 0);
  });
  EXPECT_THAT(node_.Stage(volume_, node_.StagingPath("v2")),
              IsError(StatusCode::kUnavailable, "call again"));
  EXPECT_THAT(node_.Publish(volume_, staging_, node_.TargetPath("pod-c")),
              IsError(StatusCode::kUnavailable, "call again"));
  EXPECT_FALSE(node_.Exists(node_.TargetPath("pod-c")));
}

// Calls that meet a server's end at any moment: each is served or to be
// repeated, and what was said to be mounted is served in the end.
TEST_F(RecoveryTest, CallsDuringReplacementsAreServedOrRepeated) {
  std::atomic<bool> over = false;
  std::vector<std::future<void>> pods;
  for (int pod = 0; pod < 3; ++pod) {
    pods.push_back(std::async(std::launch::async, [&, pod] {
      const std::string staging =
          node_.StagingPath(fmt::format("again-{}", pod));
      const std::string target =
          node_.TargetPath(fmt::format("pod-again-{}", pod));
      const auto repeat = [&](const std::function<absl::Status()>& call) {
        absl::Status status;
        const bool done = rig::Eventually([&] {
          status = call();
          if (!status.ok()) {
            EXPECT_THAT(status, IsError(StatusCode::kUnavailable, ""));
          }
          return status.ok();
        });
        EXPECT_TRUE(done) << status;
      };
      while (!over) {
        repeat([&] { return node_.Stage(volume_, staging); });
        repeat([&] { return node_.Publish(volume_, staging, target); });
        EXPECT_TRUE(node_.WaitUntilServed(target));
        EXPECT_THAT(node_.Unpublish(volume_, target), IsOk());
        EXPECT_THAT(node_.Unstage(volume_, staging), IsOk());
      }
    }));
  }
  for (int round = 0; round < 10; ++round) {
    KillFused();
    EXPECT_TRUE(node_.WaitUntilServed(writable_));
  }
  over = true;
  for (auto& pod : pods) pod.get();
  ExpectRestored();
}

// A famfs-fused that stands still (SIGSTOP) as soon as it serves, before
// anybody knows.
class StillServer {
 public:
  StillServer() {
    rig::WriteFile(program_,
                   fmt::format(R"(#!/usr/bin/python3
import os, signal, socket, subprocess, sys

ours, theirs = socket.socketpair()
plugin = socket.socket(fileno=os.dup(3))
server = subprocess.Popen(
    ["{1}", *sys.argv[1:]], pass_fds=(3, 4),
    preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
for fd in (3, 4, theirs.detach()):
    os.close(fd)
line, mount, *_ = socket.recv_fds(ours, 512, 1)
os.kill(server.pid, signal.SIGSTOP)
tasks = f"/proc/{{server.pid}}/task"
while not all("stopped" in open(f"{{tasks}}/{{task}}/status").read()
              for task in os.listdir(tasks)):
    pass
open("{0}/pid", "w").write(str(server.pid))
socket.send_fds(plugin, [line], mount)
for fd in (plugin.detach(), *mount):
    os.close(fd)
server.wait()
)",
                               dir_.path(), rig::Binary("famfs-fused")));
    fs::permissions(program_, fs::perms::owner_all);
  }
  [[nodiscard]] const std::string& program() const { return program_; }
  void GoOn() const {
    const pid_t pid = std::atoi(rig::ReadWholeFile(dir_ / "pid").c_str());
    ASSERT_GT(pid, 0);
    EXPECT_EQ(::kill(pid, SIGCONT), 0);
  }

 private:
  rig::TempDir dir_;
  const std::string program_ = dir_ / "famfs-fused";
};

TEST_F(RecoveryTest, ThatIsUnderWayEndsAtOnceWithThePlugin) {
  node_.KillPlugin();
  KillFused();
  const StillServer server;
  node_.Start({"--fused", server.program()});
  ASSERT_TRUE(rig::Eventually([&] {
    return rig::AsksAServer(node_.plugin().pid());
  })) << node_.output();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(node_.StopPlugin(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
  server.GoOn();
  // The next plugin goes on with it.
  node_.Start();
  ExpectRestored();
}

TEST_F(RecoveryTest, OfAServerThatHangsIsTriedAgain) {
  node_.KillPlugin();
  KillFused();
  const StillServer server;
  node_.Start({"--fused", server.program()});
  ASSERT_THAT(node_.plugin().WaitForOutput("not bound again"), IsOk());
  EXPECT_THAT(node_.output(), HasSubstr("did not answer"));
  server.GoOn();
  ExpectRestored();
}

TEST_F(RecoveryTest, MountFlagsOfAPublicationComeBack) {
  const std::string target = node_.TargetPath("pod-c");
  ASSERT_THAT(node_.Publish(volume_, staging_, target, false,
                            Mode::MULTI_NODE_MULTI_WRITER,
                            {"noexec", "nosuid", "noatime"}),
              IsOk());
  const std::string before = node_.TopOptions(target);
  EXPECT_THAT(before, HasSubstr("noexec"));
  const std::string plain = node_.TopOptions(writable_);
  KillFused();
  EXPECT_TRUE(node_.WaitUntilServed(target));
  EXPECT_EQ(node_.TopOptions(target), before);
  ExpectRestored();
  EXPECT_EQ(node_.TopOptions(writable_), plain);
  // One dead mount below each, and nothing else: none appears on another.
  for (const std::string& path : {staging_, writable_, readonly_, target}) {
    EXPECT_EQ(node_.MountsAt(path), 2U) << path;
  }
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
