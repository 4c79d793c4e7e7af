// The read-only view, .meta/ro: the same files, and nothing in it can be
// written.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

class ReadOnlyViewTest : public EachPathTest {
 protected:
  void SetUp() override {
    EachPathTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    mount_ = MountIt();
    ASSERT_TRUE(mount_);
    plain_ = mount_->path() + "/v";
    view_ = mount_->path() + "/.meta/ro/v";
  }
  static std::set<std::string> Names(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      names.insert(entry.path().filename());
    }
    return names;
  }
  std::unique_ptr<Mount> mount_;
  std::string plain_;
  std::string view_;
};

TEST_P(ReadOnlyViewTest, ShowsTheSameFilesAndNotTheMountsOwn) {
  const std::string root = mount_->path() + "/.meta/ro";
  EXPECT_EQ(Names(root), std::set<std::string>{"v"});
  EXPECT_EQ(Names(view_), Names(plain_));
  EXPECT_EQ(OpenErrno(root + "/.meta", O_RDONLY), ENOENT);
  EXPECT_EQ(FileSize(view_ + "/data"), FileSize(plain_ + "/data"));
  EXPECT_EQ(DataPathOf(view_ + "/data"), GetParam());
  struct stat one = {};
  struct stat other = {};
  ASSERT_EQ(::stat((plain_ + "/data").c_str(), &one), 0);
  ASSERT_EQ(::stat((view_ + "/data").c_str(), &other), 0);
  EXPECT_NE(one.st_ino, other.st_ino);
  EXPECT_EQ(one.st_mode, other.st_mode);
  struct statvfs figures = {};
  ASSERT_EQ(::statvfs(view_.c_str(), &figures), 0);
  EXPECT_EQ(figures.f_blocks * figures.f_frsize, kVolumeSize);
}

TEST_P(ReadOnlyViewTest, IsNotListedWhereItStands) {
  const auto names = Names(mount_->path() + "/.meta");
  EXPECT_FALSE(names.contains("ro"));
  EXPECT_TRUE(names.contains(".log"));
}

TEST_P(ReadOnlyViewTest, RefusesWhatWouldWrite) {
  for (const int flags : {O_RDWR, O_WRONLY, O_RDONLY | O_TRUNC}) {
    EXPECT_EQ(OpenErrno(view_ + "/data", flags), EROFS) << flags;
  }
  EXPECT_EQ(OpenErrno(view_ + "/new", O_RDWR | O_CREAT), EROFS);
  EXPECT_EQ(ErrnoOf(::truncate((view_ + "/data").c_str(), 0)), EROFS);
  EXPECT_EQ(ErrnoOf(::chmod((view_ + "/data").c_str(), 0600)), EROFS);
  EXPECT_EQ(ErrnoOf(::chown((view_ + "/data").c_str(), 1, 1)), EROFS);
  for (const std::string& path : {view_, view_ + "/data"}) {
    EXPECT_EQ(ErrnoOf(::setxattr(path.c_str(), "user.x", "1", 1, 0)), EROFS);
    EXPECT_EQ(ErrnoOf(::removexattr(path.c_str(), "user.x")), EROFS);
  }
  EXPECT_EQ(ErrnoOf(::unlink((view_ + "/data").c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(::rmdir(view_.c_str())), EROFS);
  EXPECT_EQ(
      ErrnoOf(::rename((view_ + "/data").c_str(), (view_ + "/other").c_str())),
      EROFS);
  EXPECT_EQ(ErrnoOf(::symlink("data", (view_ + "/link").c_str())), EROFS);
  const std::array<timespec, 2> now = {{{1, 0}, {1, 0}}};
  EXPECT_EQ(
      ErrnoOf(::utimensat(AT_FDCWD, (view_ + "/data").c_str(), now.data(), 0)),
      EROFS);
}

TEST_P(ReadOnlyViewTest, ReadsWhatWasWritten) {
  const UniqueFd writer = OpenOrFail(plain_ + "/data", O_RDWR);
  ASSERT_EQ(::pwrite(writer.get(), "written", 7, 4096), 7);
  const Mapped reader(view_ + "/data", O_RDONLY);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader.Text(4096, 7), "written");
}

TEST_P(ReadOnlyViewTest, LosesWhatIsDeleted) {
  const Mapped reader(view_ + "/data", O_RDONLY);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(writer().DeleteVolume("v").ok());
  ASSERT_TRUE(writer().Compact().ok());
  const int by_name = OpenErrno(view_ + "/data", O_RDONLY);
  EXPECT_TRUE(by_name == ENOENT || by_name == ESTALE) << by_name;
  EXPECT_TRUE(
      rig::Eventually([&] { return OpenErrno(view_, O_RDONLY) == ENOENT; }));
  struct stat info = {};
  EXPECT_TRUE(rig::Eventually(
      [&] { return ::fstat(reader.fd(), &info) == 0 && info.st_nlink == 0; }));
  EXPECT_EQ(reader.Text(0, 1), std::string_view("\0", 1));
}

INSTANTIATE_TEST_SUITE_P(Each, ReadOnlyViewTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

TEST_F(PassthroughTest, TheViewIsTheSameMemory) {
  AddVolume("v", "pvc-1");
  const auto mount = MountIt();
  ASSERT_TRUE(mount);
  const Mapped writing(mount->path() + "/v/data", O_RDWR);
  const Mapped reading(mount->path() + "/.meta/ro/v/data", O_RDONLY);
  ASSERT_TRUE(writing.ok() && reading.ok());
  writing.Store(0, "at once");
  EXPECT_EQ(reading.Text(0, 7), "at once");
}

}  // namespace
}  // namespace famfs::itest
