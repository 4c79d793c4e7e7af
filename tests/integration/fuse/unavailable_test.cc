// What fails for the moment is told apart from what is damaged: by the errno of
// an open, and by the exit code of the server.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

using LockedExtent = PassthroughTest;

TEST_F(LockedExtent, CanBeOpenedLaterAndKeepsNobodyFromTheOthers) {
  AddVolume("a", "pvc-a");
  AddVolume("b", "pvc-b");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const UniqueFd extent = OpenOrFail(ExtentFile("a"), O_RDONLY);
  ASSERT_EQ(::flock(extent.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(OpenErrno(mount->path() + "/a/data", O_RDWR), EAGAIN);
  EXPECT_EQ(OpenErrno(mount->path() + "/b/data", O_RDWR), 0);
  EXPECT_TRUE(mount->server().WaitForOutput("keeps it locked").ok());
  ASSERT_EQ(::flock(extent.get(), LOCK_UN), 0);
  EXPECT_EQ(OpenErrno(mount->path() + "/a/data", O_RDWR), 0);
}

using MemoryThatIsAway = FuseTest;

TEST_F(MemoryThatIsAway, AnswersEagainUntilItIsBack) {
  AddVolume("v", "pvc");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const std::string file = mount->path() + "/v/data";
  ASSERT_EQ(OpenErrno(file, O_RDWR), 0);
  const std::string away = memory_ / "away";
  ASSERT_EQ(std::rename(device_->directory().c_str(), away.c_str()), 0);
  EXPECT_EQ(OpenErrno(file, O_RDWR), EAGAIN);
  EXPECT_TRUE(
      mount->server().WaitForOutput("cannot be followed at the moment").ok());
  ASSERT_EQ(std::rename(away.c_str(), device_->directory().c_str()), 0);
  EXPECT_EQ(OpenErrno(file, O_RDWR), 0);
}

class ExitCodes : public FuseTest {
 protected:
  /// Of a shell line with $FUSED, $DEVICE, $MOUNT and $DIR; what it said.
  int Run(const std::string& line, std::string& output) {
    auto process = rig::Process::Start(
        {.argv = {"/bin/sh", "-c", line},
         .environment = {
             "FUSED=" + rig::Binary("famfs-fused"), "DEVICE=" + device_->spec(),
             "MOUNT=" + mount_point_.path(), "DIR=" + memory_.path()}});
    EXPECT_TRUE(process.ok()) << process.status();
    if (!process.ok()) return -1;
    const auto exit = (*process)->Wait();
    EXPECT_TRUE(exit.ok()) << exit.status();
    output = (*process)->output();
    return exit.value_or(-1);
  }
  rig::TempDir mount_point_;
};

TEST_F(ExitCodes, AMountThatCannotBeAttachedIsTheMountPoints) {
  std::string output;
  // A directory that is there and has no name any more.
  EXPECT_EQ(Run("mkdir $DIR/gone && cd $DIR/gone && rmdir $DIR/gone && exec "
                "$FUSED $DEVICE .",
                output),
            5)
      << output;
}

TEST_F(ExitCodes, ALockFileOutOfReachIsHeldByNobody) {
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  mount->server().Kill();
  std::string output;
  EXPECT_EQ(
      Run("exec $FUSED $DEVICE $MOUNT --lock-file " + mount->path() + "/lock",
          output),
      1)
      << output;
}

/// A control group in which no process may start more than so many threads;
/// empty where none can be made.
class FewThreads {
 public:
  explicit FewThreads(int most) {
    for (const char* root : {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"}) {
      const std::string path =
          fmt::format("{}/famfs-test-{}", root, ::getpid());
      if (::mkdir(path.c_str(), 0755) != 0) continue;
      path_ = path;
      if (std::FILE* file = std::fopen((path_ + "/pids.max").c_str(), "w")) {
        const bool set = std::fprintf(file, "%d\n", most) > 0;
        if (std::fclose(file) == 0 && set) return;
      }
      ::rmdir(path_.c_str());
      path_.clear();
    }
  }
  ~FewThreads() {
    rig::Eventually(
        [this] { return path_.empty() || ::rmdir(path_.c_str()) == 0; });
  }
  FewThreads(const FewThreads&) = delete;
  FewThreads& operator=(const FewThreads&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_F(ExitCodes, AServerThatGetsNoThreadsSaysSoAndMountsNothing) {
  const FewThreads group(3);
  if (group.path().empty()) {
    GTEST_SKIP() << "this machine's control groups do not count processes";
  }
  std::string output;
  EXPECT_EQ(Run("echo $$ > " + group.path() +
                    "/cgroup.procs && exec $FUSED $DEVICE $MOUNT",
                output),
            1)
      << output;
  EXPECT_NE(output.find("a thread cannot be started"), std::string::npos)
      << output;
  EXPECT_EQ(rig::ReadWholeFile("/proc/thread-self/mountinfo")
                .find(mount_point_.path()),
            std::string::npos);
}

TEST_F(ExitCodes, AServerThatGetsFewerThreadsServes) {
  const FewThreads group(9);  // of 4 that answer, 2
  if (group.path().empty()) {
    GTEST_SKIP() << "this machine's control groups do not count processes";
  }
  AddVolume("v", "pvc");
  auto process = rig::Process::Start(
      {.argv = {"/bin/sh", "-c",
                "echo $$ > " + group.path() + "/cgroup.procs && exec " +
                    rig::Binary("famfs-fused") + " " + device_->spec() + " " +
                    mount_point_.path()}});
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE((*process)->WaitForOutput(" is mounted on ").ok());
  EXPECT_NE((*process)->output().find("2 of 4 threads answer"),
            std::string::npos)
      << (*process)->output();
  EXPECT_EQ(OpenErrno(mount_point_.path() + "/v/data", O_RDWR), 0);
  EXPECT_EQ(::umount2(mount_point_.path().c_str(), MNT_DETACH), 0);
  EXPECT_EQ((*process)->Wait().value_or(-1), 0);
}

}  // namespace
}  // namespace famfs::itest
