// famfs mount and famfs umount, with the real server.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/unique_fd.h"
#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string XattrOf(const std::string& path, const char* name) {
  std::array<char, 64> value{};
  const ssize_t size =
      ::getxattr(path.c_str(), name, value.data(), value.size());
  return size < 0 ? ""
                  : std::string(value.data(), static_cast<std::size_t>(size));
}

class Mount : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "no /dev/fuse: mounting needs FUSE and root";
    }
    device_ = place_.Emulated("pool");
    fs::create_directory(mount_point_);
    bytes_ = Pattern(5'000'000);
    rig::WriteFile(place_.File("source"), bytes_);
    ASSERT_THAT(place_.Write("cp", device_, {place_.File("source"), ":f"}),
                Exits(kOk));
  }
  void TearDown() override { ::umount2(mount_point_.c_str(), MNT_DETACH); }

  const Workplace place_;
  const std::string mount_point_ = place_.File("mnt");
  std::string device_;
  std::string bytes_;
};

TEST_F(Mount, ServesTheFilesAndTellsTheDataPath) {
  const Outcome mount = Famfs({"mount", device_, mount_point_});
  ASSERT_THAT(mount, Exits(kOk));
  EXPECT_THAT(mount.out, AnyOf(HasSubstr("data path passthrough\n"),
                               HasSubstr("data path copy\n")));
  const std::string served =
      XattrOf(mount_point_ + "/f", "user.famfs.datapath");
  EXPECT_FALSE(served.empty());
  EXPECT_THAT(mount.out, HasSubstr("data path " + served));
  EXPECT_TRUE(rig::ReadWholeFile(mount_point_ + "/f") == bytes_);

  // What is copied in while it is mounted appears.
  ASSERT_THAT(place_.Write("cp", device_, {place_.File("source"), ":later"}),
              Exits(kOk));
  EXPECT_TRUE(
      rig::Eventually([&] { return fs::exists(mount_point_ + "/later"); }));

  EXPECT_THAT(Famfs({"umount", mount_point_}), Exits(kOk));
  EXPECT_TRUE(fs::is_empty(mount_point_));
}

TEST_F(Mount, NamedDataPathIsServedOrRefused) {
  const Outcome copy =
      Famfs({"mount", device_, mount_point_, "--data-path", "copy"});
  ASSERT_THAT(copy, Exits(kOk));
  EXPECT_THAT(copy.out, HasSubstr("data path copy\n"));
  ASSERT_THAT(Famfs({"umount", mount_point_}), Exits(kOk));

  const std::string image = place_.Image("flat.img");
  const Outcome refused =
      Famfs({"mount", image, mount_point_, "--data-path", "passthrough"});
  EXPECT_THAT(refused, Exits(kProblems));
  EXPECT_THAT(refused.err, HasSubstr("passthrough"));
  EXPECT_TRUE(fs::is_empty(mount_point_));
}

TEST_F(Mount, BusyMountIsToldAndDetachedLazily) {
  ASSERT_THAT(Famfs({"mount", device_, mount_point_}), Exits(kOk));
  auto file = OpenFile(mount_point_ + "/f", O_RDONLY);
  ASSERT_TRUE(file.ok()) << file.status();
  const Outcome busy = Famfs({"umount", mount_point_});
  EXPECT_THAT(busy, Exits(kProblems));
  EXPECT_THAT(busy.err, AllOf(HasSubstr("busy"), HasSubstr("--lazy")));
  EXPECT_THAT(Famfs({"umount", "--lazy", mount_point_}), Exits(kOk));
  EXPECT_TRUE(fs::is_empty(mount_point_));
  char first = 0;
  EXPECT_EQ(::pread(file->get(), &first, 1, 0), 1) << "an open file goes on";
  EXPECT_EQ(first, bytes_[0]);
}

TEST_F(Mount, LogGoesToTheFileThatIsNamed) {
  ASSERT_THAT(Famfs({"mount", device_, mount_point_, "--log-file",
                     place_.File("server.log")}),
              Exits(kOk));
  EXPECT_THAT(rig::ReadWholeFile(place_.File("server.log")),
              HasSubstr(mount_point_));
  EXPECT_THAT(Famfs({"umount", mount_point_}), Exits(kOk));
}

TEST_F(Mount, UnusableMountPointsAreTold) {
  const Outcome missing = Famfs({"mount", device_, place_.File("nowhere")});
  EXPECT_THAT(missing, Exits(kProblems));
  EXPECT_THAT(missing.err, HasSubstr("nowhere"));
  const Outcome file = Famfs({"mount", device_, place_.File("source")});
  EXPECT_THAT(file, Exits(kProblems));
  EXPECT_THAT(file.err, HasSubstr("directory"));
  ASSERT_THAT(Famfs({"mount", device_, mount_point_}), Exits(kOk));
  const Outcome twice = Famfs({"mount", device_, mount_point_});
  EXPECT_THAT(twice, Exits(kProblems));
  EXPECT_THAT(twice.err, HasSubstr("mount point"));
  EXPECT_THAT(Famfs({"umount", mount_point_}), Exits(kOk));
}

TEST_F(Mount, DeviceThatIsNoneIsTold) {
  EXPECT_THAT(Famfs({"mount", place_.File("nodevice"), mount_point_}),
              Exits(kUsage));
  rig::WriteFile(place_.File("blank.img"), "");
  fs::resize_file(place_.File("blank.img"), 4ULL << 30);
  const Outcome blank =
      Famfs({"mount", place_.File("blank.img"), mount_point_});
  EXPECT_THAT(blank, Exits(kProblems));
  EXPECT_THAT(blank.err, HasSubstr("no famfs"));
}

TEST_F(Mount, UmountTouchesFamfsAlone) {
  const Outcome nothing = Famfs({"umount", mount_point_});
  EXPECT_THAT(nothing, Exits(kProblems));
  EXPECT_THAT(nothing.err, HasSubstr("not a mount point"));
  const rig::Tmpfs other("1M");
  const Outcome foreign = Famfs({"umount", other.path()});
  EXPECT_THAT(foreign, Exits(kProblems));
  EXPECT_THAT(foreign.err, HasSubstr("tmpfs"));
}

}  // namespace
}  // namespace famfs
