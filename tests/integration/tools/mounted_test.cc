// Commands on files of a mount: verify, flush, chkread, and a mount point where
// a device is asked for.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "base/unique_fd.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Mounted : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
    }
    device_ = std::string(GetParam()) == "emulated" ? place_.Emulated("pool")
                                                    : place_.Image("pool.img");
    fs::create_directory(mount_point_);
    ASSERT_THAT(place_.Write("mkdir", device_, {"d"}), Exits(kOk));
    ASSERT_THAT(
        place_.Write("creat", device_, {"d/f", "--size", "9M", "--seed", "5"}),
        Exits(kOk));
    const Outcome mount = Famfs({"mount", device_, mount_point_});
    ASSERT_THAT(mount, Exits(kOk));
    copies_ = mount.out.find("data path copy") != std::string::npos;
  }
  void TearDown() override { ::umount2(mount_point_.c_str(), MNT_DETACH); }

  /// Flips a byte of the file through a mapping, without any sync.
  void StoreThroughMapping(std::size_t at) const {
    auto fd = OpenFile(file_, O_RDWR);
    ASSERT_TRUE(fd.ok()) << fd.status();
    constexpr std::size_t kSize = 9U << 20;
    void* const data = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                              MAP_SHARED, fd->get(), 0);
    ASSERT_NE(data, MAP_FAILED);
    static_cast<unsigned char*>(data)[at] ^= 0xff;
    ::munmap(data, kSize);
  }

  const Workplace place_;
  const std::string mount_point_ = place_.File("mnt");
  const std::string file_ = mount_point_ + "/d/f";
  std::string device_;
  bool copies_ = false;  // data path copy
};

INSTANTIATE_TEST_SUITE_P(Devices, Mounted,
                         ::testing::Values("emulated", "image"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

TEST_P(Mounted, FileIsVerifiedThroughItsMapping) {
  EXPECT_THAT(Famfs({"verify", file_, "--seed", "5"}), Exits(kOk));
  EXPECT_THAT(Famfs({"verify", file_, "--seed", "6"}), Exits(kProblems));
}

TEST_P(Mounted, AStoreReachesTheDeviceWithFlush) {
  const Outcome same = Famfs({"chkread", file_});
  ASSERT_THAT(same, Exits(kOk));
  EXPECT_THAT(same.out, AllOf(HasSubstr("read, mapping and device agree"),
                              HasSubstr(copies_ ? "copy" : "passthrough")));
  StoreThroughMapping(1'234'567);
  ASSERT_THAT(Famfs({"flush", file_}), Exits(kOk));
  const Outcome json = Famfs({"chkread", file_, "--json"});
  ASSERT_THAT(json, Exits(kOk));
  EXPECT_EQ(JsonOf(json).at(0)["device_compared"], true);
  const Outcome verify = Famfs({"verify", device_, ":d/f", "--seed", "5"});
  EXPECT_THAT(verify, Exits(kProblems));
  EXPECT_THAT(verify.out, HasSubstr("at byte 1234567 "));
}

TEST_P(Mounted, DeviceThatDiffersIsTold) {
  // Another instance with a file of the same name stands for a device that the
  // mount does not show.
  const std::string other = place_.Image("other.img");
  ASSERT_THAT(place_.Write("mkdir", other, {"d"}), Exits(kOk));
  ASSERT_THAT(
      place_.Write("creat", other, {"d/f", "--size", "9M", "--seed", "6"}),
      Exits(kOk));
  const Outcome differs = Famfs({"chkread", file_, "--device", other});
  EXPECT_THAT(differs, Exits(kProblems));
  EXPECT_THAT(differs.out, HasSubstr("read and device differ at byte 0\n"));
  EXPECT_THAT(Famfs({"chkread", file_, "--device", place_.File("none")}),
              Exits(kUsage));
}

TEST_P(Mounted, MountPointStandsForItsDevice) {
  EXPECT_EQ(Famfs({"ls", mount_point_, "-R"}).out, "d/\nd/f\n");
  EXPECT_EQ(JsonOf(Famfs({"df", mount_point_, "--json"}))["device"], device_);
  EXPECT_THAT(Famfs({"fsck", mount_point_}), Exits(kOk));
}

TEST_P(Mounted, FilesOfTheDeviceAreFlushedWithoutAMount) {
  EXPECT_THAT(Famfs({"flush", device_, ":d/f"}), Exits(kOk));
  const Outcome missing = Famfs({"flush", device_, ":none", ":d/f"});
  EXPECT_THAT(missing, Exits(kProblems));
  EXPECT_THAT(missing.err, HasSubstr("none"));
}

TEST(NotMounted, IsToldByChkreadAndFlush) {
  const Workplace place;
  rig::WriteFile(place.File("f"), "x");
  const Outcome foreign = Famfs({"chkread", place.File("f")});
  EXPECT_THAT(foreign, Exits(kProblems));
  EXPECT_THAT(foreign.err, HasSubstr("famfs mount"));
  EXPECT_THAT(Famfs({"chkread", place.File("none")}), Exits(kProblems));
  EXPECT_THAT(Famfs({"flush", place.File("")}), Exits(kProblems));
  EXPECT_THAT(Famfs({"flush"}), Exits(kUsage));
}

}  // namespace
}  // namespace famfs
