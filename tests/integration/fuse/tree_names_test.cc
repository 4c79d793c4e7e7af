// Names in tree volumes, through real mounts.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "tests/integration/fuse/tree_fixture.h"

namespace famfs::itest {
namespace {

using TreeNamesTest = TreeFuseTest;

INSTANTIATE_TEST_SUITE_P(Paths, TreeNamesTest,
                         ::testing::Values("passthrough", "copied", "copy"),
                         NameOfPath);

std::set<std::string> Names(const std::string& path) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    names.insert(entry.path().filename());
  }
  return names;
}

struct stat StatOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path << " " << errno;
  return info;
}

TEST_P(TreeNamesTest, EachKindIsMadeFoundAndRemoved) {
  EXPECT_EQ(Write(root_ + "f", "text"), 0);
  EXPECT_EQ(::mkdir((root_ + "d").c_str(), 0750), 0);
  EXPECT_EQ(::symlink("some/where", (root_ + "l").c_str()), 0);
  EXPECT_EQ(::mknod((root_ + "n").c_str(), S_IFREG | 0600, 0), 0);
  EXPECT_EQ(Names(root_), (std::set<std::string>{"d", "f", "l", "n"}));
  EXPECT_TRUE(S_ISDIR(StatOf(root_ + "d").st_mode));
  EXPECT_EQ(StatOf(root_ + "d").st_mode & 07777, 0750U);
  EXPECT_TRUE(S_ISLNK(StatOf(root_ + "l").st_mode));
  EXPECT_EQ(StatOf(root_ + "l").st_size, 10);
  EXPECT_EQ(std::filesystem::read_symlink(root_ + "l"), "some/where");
  EXPECT_EQ(StatOf(root_ + "f").st_size, 4);
  EXPECT_EQ(rig::ReadWholeFile(root_ + "f"), "text");
  EXPECT_EQ(ErrnoOf(::mkdir((root_ + "d").c_str(), 0755)), EEXIST);
  EXPECT_EQ(ErrnoOf(::rmdir((root_ + "f").c_str())), ENOTDIR);
  EXPECT_EQ(Write(root_ + "d/x", ""), 0);
  EXPECT_EQ(ErrnoOf(::rmdir((root_ + "d").c_str())), ENOTEMPTY);
  EXPECT_EQ(::unlink((root_ + "d/x").c_str()), 0);
  EXPECT_EQ(::rmdir((root_ + "d").c_str()), 0);
  for (const char* name : {"f", "l", "n"}) {
    EXPECT_EQ(::unlink((root_ + name).c_str()), 0);
  }
  EXPECT_EQ(Names(root_), std::set<std::string>{});
  EXPECT_EQ(OpenErrno(root_ + "f", O_RDONLY), ENOENT);
}

TEST_P(TreeNamesTest, WhatIsMadeOnceIsMadeOnce) {
  EXPECT_EQ(OpenErrno(root_ + "f", O_RDWR | O_CREAT | O_EXCL), 0);
  EXPECT_EQ(OpenErrno(root_ + "f", O_RDWR | O_CREAT | O_EXCL), EEXIST);
  EXPECT_EQ(OpenErrno(root_ + "f", O_RDWR | O_CREAT), 0);
  EXPECT_EQ(OpenErrno(root_ + "f", O_RDWR | O_DIRECTORY), ENOTDIR);
}

TEST_P(TreeNamesTest, RenameFollowsItsFlags) {
  const auto rename = [this](const char* from, const char* to, unsigned flags) {
    return ErrnoOf(::renameat2(AT_FDCWD, (root_ + from).c_str(), AT_FDCWD,
                               (root_ + to).c_str(), flags));
  };
  ASSERT_EQ(Write(root_ + "a", "a"), 0);
  ASSERT_EQ(Write(root_ + "b", "b"), 0);
  ASSERT_EQ(::mkdir((root_ + "d").c_str(), 0755), 0);
  EXPECT_EQ(rename("a", "b", RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(rename("a", "b", RENAME_EXCHANGE), 0);
  EXPECT_EQ(rig::ReadWholeFile(root_ + "a"), "b");
  EXPECT_EQ(rename("a", "b", 0), 0);
  EXPECT_EQ(rig::ReadWholeFile(root_ + "b"), "b");
  EXPECT_EQ(rename("b", "d/c", 0), 0);
  EXPECT_EQ(rename("d", "d/e", 0), EINVAL);
  EXPECT_EQ(rename("none", "x", 0), ENOENT);
  EXPECT_EQ(Names(root_), std::set<std::string>{"d"});
  EXPECT_EQ(Names(root_ + "d"), std::set<std::string>{"c"});
}

TEST_P(TreeNamesTest, WhatIsRefusedHasItsErrno) {
  AddTree("w");
  const std::string other = mount_->path() + "/w/x";
  ASSERT_EQ(Write(root_ + "f", "text"), 0);
  EXPECT_EQ(ErrnoOf(::rename((root_ + "f").c_str(), other.c_str())), EXDEV);
  EXPECT_EQ(ErrnoOf(::link((root_ + "f").c_str(), (root_ + "g").c_str())),
            EPERM);
  EXPECT_EQ(ErrnoOf(::mknod((root_ + "p").c_str(), S_IFIFO | 0600, 0)), EPERM);
  EXPECT_EQ(OpenErrno(root_, O_TMPFILE | O_RDWR), EOPNOTSUPP);
  EXPECT_EQ(ErrnoOf(::setxattr((root_ + "f").c_str(), "user.x", "y", 1, 0)),
            EOPNOTSUPP);
  EXPECT_EQ(ErrnoOf(::mkdir((mount_->path() + "/x").c_str(), 0755)), EPERM);
  EXPECT_EQ(ErrnoOf(::rmdir((mount_->path() + "/w").c_str())), EPERM);
  const std::string view = mount_->path() + "/.meta/ro/v/";
  EXPECT_EQ(rig::ReadWholeFile(view + "f"), "text");
  EXPECT_EQ(ErrnoOf(::mkdir((view + "d").c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrnoOf(::unlink((view + "f").c_str())), EROFS);
  EXPECT_EQ(OpenErrno(view + "f", O_RDWR), EROFS);
  EXPECT_EQ(OpenErrno(view + "n", O_RDWR | O_CREAT), EROFS);
  EXPECT_EQ(ErrnoOf(::truncate((view + "f").c_str(), 0)), EROFS);
}

TEST_P(TreeNamesTest, NamesMayBeLong) {
  const std::string longest(255, 'n');
  EXPECT_EQ(Write(root_ + longest, "long"), 0);
  EXPECT_EQ(rig::ReadWholeFile(root_ + longest), "long");
  EXPECT_EQ(Write(root_ + longest + "n", ""), ENAMETOOLONG);
  struct statvfs figures = {};
  ASSERT_EQ(::statvfs(root_.c_str(), &figures), 0);
  EXPECT_EQ(figures.f_namemax, 255U);
  EXPECT_EQ(figures.f_blocks * figures.f_frsize, kTreeCapacity);
  EXPECT_EQ(figures.f_bavail * figures.f_frsize, kTreeCapacity - 2 * kMiB);
  EXPECT_EQ(figures.f_files, 128U + 3 * (kTreeCapacity / (2 * kMiB)));
  EXPECT_EQ(figures.f_ffree, figures.f_files - 2);
}

TEST_P(TreeNamesTest, ManyNamesAreListedAndRemoved) {
  AddTree("big", 1280 * kMiB);
  const std::string d = mount_->path() + "/big/";
  constexpr int kCount = 2000;
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(OpenErrno(d + std::to_string(i), O_WRONLY | O_CREAT), 0) << i;
  }
  EXPECT_EQ(Names(d).size(), static_cast<std::size_t>(kCount));
  EXPECT_EQ(std::system(("rm -rf " + d + "*").c_str()), 0);
  EXPECT_EQ(Names(d).size(), 0U);
}

TEST_P(TreeNamesTest, AttributesStandForAll) {
  ASSERT_EQ(Write(root_ + "f", "text"), 0);
  const std::string f = root_ + "f";
  EXPECT_EQ(::chmod(f.c_str(), 0640), 0);
  EXPECT_EQ(::chown(f.c_str(), 12, 34), 0);
  const timespec times[2] = {{1, 0}, {1234567, 891000000}};
  EXPECT_EQ(::utimensat(AT_FDCWD, f.c_str(), times, 0), 0);
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  for (const std::string& path : {f, other->path() + "/v/f"}) {
    const struct stat info = StatOf(path);
    EXPECT_EQ(info.st_mode & 07777, 0640U);
    EXPECT_EQ(info.st_uid, 12U);
    EXPECT_EQ(info.st_gid, 34U);
    EXPECT_EQ(info.st_mtim.tv_sec, 1234567);
    EXPECT_EQ(info.st_mtim.tv_nsec, 891000000);
  }
  EXPECT_EQ(::chmod(root_.c_str(), 02775), 0) << "the volume's own directory";
  EXPECT_EQ(StatOf(root_).st_mode & 07777, 02775U);
  EXPECT_EQ(::chown(root_.c_str(), 0, 77), 0);
  EXPECT_EQ(Write(root_ + "g", ""), 0);
  EXPECT_EQ(StatOf(root_ + "g").st_gid, 77U) << "a setgid directory's";
  EXPECT_EQ(::mkdir((root_ + "d").c_str(), 0755), 0);
  EXPECT_EQ(StatOf(root_ + "d").st_mode & 07777, 02755U);
}

TEST_P(TreeNamesTest, WhoMakesItOwnsIt) {
  const mode_t before = ::umask(027);
  const int made = RunAs(1000, [this] { return Write(root_ + "f", "mine"); });
  ::umask(before);
  EXPECT_EQ(made, 0);
  const struct stat info = StatOf(root_ + "f");
  EXPECT_EQ(info.st_uid, 1000U);
  EXPECT_EQ(info.st_gid, 1000U);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
  EXPECT_EQ(RunAs(2000, [this] { return Write(root_ + "f", "other"); }),
            EACCES);
}

TEST_P(TreeNamesTest, PrivilegesFallWhenBytesOrOwnersChange) {
  const std::string f = root_ + "f";
  ASSERT_EQ(Write(f, "text"), 0);
  const auto set = [&f] {
    EXPECT_EQ(::chmod(f.c_str(), 06777), 0);
    EXPECT_EQ(StatOf(f).st_mode & 07777, 06777U);
  };
  set();
  EXPECT_EQ(RunAs(1000, [&f] { return Write(f, "x"); }), 0);
  EXPECT_EQ(StatOf(f).st_mode & 07777, 0777U) << "write";
  set();
  EXPECT_EQ(RunAs(1000, [&f] { return ErrnoOf(::truncate(f.c_str(), 1)); }), 0);
  EXPECT_EQ(StatOf(f).st_mode & 07777, 0777U) << "truncate";
  set();
  EXPECT_EQ(::chown(f.c_str(), 5, 6), 0);
  EXPECT_EQ(StatOf(f).st_mode & 07777, 0777U) << "chown";
}

}  // namespace
}  // namespace famfs::itest
