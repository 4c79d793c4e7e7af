// famfs-fused as a program: what it refuses and with which exit code, what its
// supervisor sees, how it ends.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

bool IsMountPoint(const std::string& path) {
  return rig::ReadWholeFile("/proc/thread-self/mountinfo")
             .find(" " + path + " ") != std::string::npos;
}

class ProgramTest : public FuseTest {
 protected:
  struct Outcome {
    int exit = -1;
    std::string output;
  };
  /// Runs it until it ends by itself, as it does when it refuses.
  Outcome Refused(const std::vector<std::string>& arguments) {
    rig::Process::Options options;
    options.argv = {rig::Binary("famfs-fused")};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    auto process = rig::Process::Start(options);
    EXPECT_TRUE(process.ok()) << process.status();
    if (!process.ok()) return {};
    const auto exit = (*process)->Wait();
    EXPECT_TRUE(exit.ok()) << exit.status();
    return {exit.value_or(-1), (*process)->output()};
  }
  /// Runs a shell line with $FUSED, $DEVICE and $MOUNT set.
  std::unique_ptr<rig::Process> Shell(const std::string& line) {
    rig::Process::Options options;
    options.argv = {"/bin/sh", "-c", line};
    options.environment = {
        "FUSED=" + rig::Binary("famfs-fused"), "DEVICE=" + device_->spec(),
        "MOUNT=" + mount_point_.path(), "DIR=" + memory_.path()};
    auto process = rig::Process::Start(options);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  absl::Status MakeInstance(DaxDevice& device, const std::string& locks) {
    MkfsOptions options;
    options.system_uuid = device_->system_uuid();
    options.lock_directory = locks;
    return Mkfs(device, options);
  }
  void TearDown() override {
    ::umount2(mount_point_.path().c_str(), MNT_DETACH);
  }
  rig::TempDir mount_point_;
};

TEST_F(ProgramTest, MountinfoShowsTypeSourceAndSafeOptions) {
  const auto mount = MountIt({.arguments = {"--fs-name", "pool-of-mine"}});
  ASSERT_TRUE(mount);
  const std::string all = rig::ReadWholeFile("/proc/thread-self/mountinfo");
  const std::size_t at = all.find(" " + mount->path() + " ");
  ASSERT_NE(at, std::string::npos);
  const std::string line = all.substr(at, all.find('\n', at) - at);
  for (const char* text : {"nosuid", "nodev", " - fuse.famfs pool-of-mine ",
                           "allow_other", "default_permissions"}) {
    EXPECT_NE(line.find(text), std::string::npos) << text << " in " << line;
  }
}

TEST_F(ProgramTest, FmapIsRefusedAndNothingIsMounted) {
  const Outcome refused =
      Refused({device_->spec(), mount_point_.path(), "--data-path", "fmap"});
  EXPECT_EQ(refused.exit, 4);
  EXPECT_NE(refused.output.find("data path fmap"), std::string::npos);
  EXPECT_FALSE(IsMountPoint(mount_point_.path()));
}

TEST_F(ProgramTest, AnImageIsServedByCopyAndNeverByPassthrough) {
  const std::string image = memory_ / "image";
  ASSERT_TRUE(CreateImage(image, 4 * kGiB).ok());
  auto device = OpenDevice("image:" + image, Access::kReadWrite);
  ASSERT_TRUE(device.ok()) << device.status();
  const absl::Status made = MakeInstance(**device, device_->lock_directory());
  ASSERT_TRUE(made.ok()) << made;
  const Outcome refused =
      Refused({image, mount_point_.path(), "--data-path", "passthrough"});
  EXPECT_EQ(refused.exit, 4);
  EXPECT_NE(refused.output.find("no extent files"), std::string::npos);
  EXPECT_FALSE(IsMountPoint(mount_point_.path()));

  {
    auto writer = Writer::Open(*std::move(device), {device_->system_uuid(),
                                                    device_->lock_directory()});
    ASSERT_TRUE(writer.ok()) << writer.status();
    const absl::Status file = (*writer)->CreateFile("f", 5000, {0, 0, 0644});
    ASSERT_TRUE(file.ok()) << file;
  }
  const auto mount = Mount::Start(image, {});
  ASSERT_TRUE(mount.ok()) << mount.status();
  const std::string file = (*mount)->path() + "/f";
  EXPECT_EQ(DataPathOf(file), "copy");
  const UniqueFd fd = OpenOrFail(file, O_RDWR);
  EXPECT_EQ(::pwrite(fd.get(), "bytes", 5, 4990), 5);
  EXPECT_EQ(::pwrite(fd.get(), "0123456789abcdef", 16, 4990), 10);
  EXPECT_EQ(rig::ReadWholeFile(file).substr(4990), "0123456789");
}

TEST_F(ProgramTest, AVolumeThatAsksForPassthroughIsNeverServedByCopy) {
  VolumeAttributes attributes;
  attributes.name = "pvc-1";
  attributes.capacity = kVolumeSize;
  attributes.data_path = DataPath::kPassthrough;
  const absl::Status made =
      writer().CreateVolume("v", attributes, {0, 0, 0777});
  ASSERT_TRUE(made.ok()) << made;
  const auto mount = MountIt({.data_path = "copy"});
  ASSERT_TRUE(mount);
  EXPECT_EQ(OpenErrno(mount->path() + "/v/data", O_RDONLY), EOPNOTSUPP);
  EXPECT_TRUE(mount->server()
                  .WaitForOutput("data path passthrough was asked for")
                  .ok());
}

TEST_F(ProgramTest, EachRefusalHasItsExitCodeAndSaysWhatToDo) {
  const std::string device = device_->spec();
  const std::string& mount = mount_point_.path();
  const std::string empty = memory_ / "empty";
  ASSERT_EQ(::mkdir(empty.c_str(), 0755), 0);
  const struct {
    std::vector<std::string> arguments;
    int exit;
    const char* text;
  } cases[] = {
      {{device}, 2, "MOUNTPOINT"},
      {{device, mount, "--data-path", "quick"}, 2, "--data-path"},
      {{device, mount, "--threads", "0"}, 2, "--threads"},
      {{memory_ / "missing", mount}, 3, "missing"},
      {{"emulated:" + empty, mount}, 3, "empty"},
      {{device, memory_ / "missing"}, 5, "no such directory"},
      {{device, memory_.path()}, 5, "already a mount point"},
      {{device, device_->directory() + "/device.yaml"}, 5, "not a directory"},
  };
  for (const auto& one : cases) {
    const Outcome refused = Refused(one.arguments);
    EXPECT_EQ(refused.exit, one.exit) << refused.output;
    EXPECT_NE(refused.output.find(one.text), std::string::npos)
        << refused.output;
  }
  EXPECT_FALSE(IsMountPoint(mount));
}

TEST_F(ProgramTest, ABrokenLogIsNotMounted) {
  ASSERT_TRUE(writer().Mkdir("a", {0, 0, 0755}).ok());
  ASSERT_TRUE(writer().Mkdir("b", {0, 0, 0755}).ok());
  const UniqueFd log =
      OpenOrFail(device_->directory() + "/extents/200000", O_RDWR);
  ASSERT_EQ(::pwrite(log.get(), "damage", 6, EntryAt(0) + 40), 6);
  const Outcome refused = Refused({device_->spec(), mount_point_.path()});
  EXPECT_EQ(refused.exit, 3);
  EXPECT_NE(refused.output.find("entry 0"), std::string::npos)
      << refused.output;
  EXPECT_FALSE(IsMountPoint(mount_point_.path()));
}

TEST_F(ProgramTest, HugetlbfsIsRefusedForPassthroughWithAReason) {
  if (const std::string& why = PassthroughMissing(); !why.empty()) {
    GTEST_SKIP() << why;
  }
  const std::string extents = memory_ / "huge";
  ASSERT_EQ(::mkdir(extents.c_str(), 0755), 0);
  ASSERT_EQ(::mount("none", extents.c_str(), "hugetlbfs", 0, "pagesize=2M"), 0);
  const std::string probe = extents + "/probe";
  const UniqueFd fd(::open(probe.c_str(), O_RDWR | O_CREAT, 0600));
  const bool room = ::fallocate(fd.get(), 0, 0, 16 * kMiB) == 0;
  ::unlink(probe.c_str());
  if (!room) {
    ::umount2(extents.c_str(), MNT_DETACH);
    GTEST_SKIP() << "no eight free huge pages of 2 MiB on this machine "
                    "(/proc/sys/vm/nr_hugepages)";
  }
  ::umount2(extents.c_str(), MNT_DETACH);
  const std::string device = device_->directory();
  const std::string inside = device + "/extents";
  ASSERT_EQ(::mount("none", inside.c_str(), "hugetlbfs", 0, "pagesize=2M"), 0);
  auto opened = OpenDevice("emulated:" + device, Access::kReadWrite);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const absl::Status made = MakeInstance(**opened, memory_.path());
  EXPECT_TRUE(made.ok()) << made;
  const Outcome refused = Refused({"emulated:" + device, mount_point_.path(),
                                   "--data-path", "passthrough"});
  EXPECT_EQ(refused.exit, 4);
  EXPECT_NE(refused.output.find("ELOOP"), std::string::npos) << refused.output;
  opened->reset();
  EXPECT_EQ(::umount2(inside.c_str(), MNT_DETACH), 0);
}

TEST_F(ProgramTest, ASupervisorHearsReadyAndSeesTheLock) {
  const auto first = Shell(
      "exec \"$FUSED\" \"$DEVICE\" \"$MOUNT\" --data-path copy --ready-fd 3 "
      "--lock-file \"$DIR/lock\" 3>\"$DIR/ready\"");
  ASSERT_TRUE(first);
  EXPECT_TRUE(rig::Eventually(
      [&] { return rig::ReadWholeFile(memory_ / "ready") == "ready copy\n"; }));
  EXPECT_TRUE(IsMountPoint(mount_point_.path()));
  EXPECT_EQ(rig::ReadWholeFile(memory_ / "lock"),
            fmt::format("{}\n", first->pid()));
  const rig::TempDir other;
  const Outcome second =
      Refused({device_->spec(), other.path(), "--lock-file", memory_ / "lock"});
  EXPECT_EQ(second.exit, 6);
  EXPECT_NE(second.output.find(fmt::format("pid {}", first->pid())),
            std::string::npos);
  first->Kill();
  const auto third = Mount::Start(
      device_->spec(), {.arguments = {"--lock-file", memory_ / "lock"}});
  EXPECT_TRUE(third.ok()) << third.status();
}

TEST_F(ProgramTest, ALockFileOfAnEarlierReleaseIsClosedToOthers) {
  const std::string lock = memory_ / "lock";
  rig::WriteFile(lock, "4294967\n");
  ASSERT_EQ(::chmod(lock.c_str(), 0644), 0);
  const auto first =
      Mount::Start(device_->spec(), {.arguments = {"--lock-file", lock}});
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info = {};
  ASSERT_EQ(::stat(lock.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  // Whatever its text says, the kernel knows who has it.
  rig::WriteFile(lock, "4294967\n");
  const rig::TempDir other;
  const Outcome second =
      Refused({device_->spec(), other.path(), "--lock-file", lock});
  EXPECT_EQ(second.exit, 6);
  EXPECT_NE(second.output.find("(famfs-fused)"), std::string::npos)
      << second.output;
  EXPECT_EQ(second.output.find("4294967"), std::string::npos) << second.output;
}

TEST_F(ProgramTest, ASupervisorHearsWhyItFailed) {
  const auto process = Shell(
      "exec \"$FUSED\" \"$DEVICE\" \"$MOUNT\" --data-path fmap "
      "--ready-fd 3 3>\"$DIR/ready\"");
  ASSERT_TRUE(process);
  EXPECT_EQ(process->Wait().value_or(-1), 4);
  EXPECT_EQ(rig::ReadWholeFile(memory_ / "ready").find("error: data path fmap"),
            0U);
}

TEST_F(ProgramTest, ItServesWithoutStandardDescriptors) {
  AddVolume("v", "pvc-1");
  const auto process = Shell(
      "exec \"$FUSED\" \"$DEVICE\" \"$MOUNT\" --lock-file \"$DIR/lock\" "
      "<&- >&- 2>&-");
  ASSERT_TRUE(process);
  const std::string file = mount_point_.path() + "/v/data";
  EXPECT_TRUE(rig::Eventually([&] { return FileSize(file) > 0; }));
  EXPECT_EQ(OpenErrno(file, O_RDWR), 0);
}

TEST_F(ProgramTest, SigtermEndsItAndLeavesTheMountToASuccessor) {
  const auto process = Shell("exec \"$FUSED\" \"$DEVICE\" \"$MOUNT\"");
  ASSERT_TRUE(process);
  ASSERT_TRUE(process->WaitForOutput(" is mounted on ").ok());
  EXPECT_EQ(process->Stop().value_or(-1), 0);
  EXPECT_TRUE(IsMountPoint(mount_point_.path()));
  EXPECT_EQ(OpenErrno(mount_point_.path(), O_RDONLY), ENOTCONN);
  const Outcome refused = Refused({device_->spec(), mount_point_.path()});
  EXPECT_EQ(refused.exit, 5);
  EXPECT_NE(refused.output.find("umount"), std::string::npos);
}

TEST_F(ProgramTest, UnmountOnExitDetachesTheMount) {
  const auto process =
      Shell("exec \"$FUSED\" \"$DEVICE\" \"$MOUNT\" --unmount-on-exit");
  ASSERT_TRUE(process);
  ASSERT_TRUE(process->WaitForOutput(" is mounted on ").ok());
  EXPECT_EQ(process->Stop().value_or(-1), 0);
  EXPECT_FALSE(IsMountPoint(mount_point_.path()));
}

TEST_F(ProgramTest, ItEndsWhenItIsUnmounted) {
  const auto process =
      Shell("exec \"$FUSED\" \"$DEVICE\" \"$MOUNT\" --log-format json");
  ASSERT_TRUE(process);
  ASSERT_TRUE(process->WaitForOutput(" is mounted on ").ok());
  ASSERT_EQ(::umount2(mount_point_.path().c_str(), 0), 0);
  EXPECT_EQ(process->Wait().value_or(-1), 0);
  EXPECT_NE(process->output().find("\"level\":\"info\""), std::string::npos);
}

}  // namespace
}  // namespace famfs::itest
