// A pod cannot leave its volume, nor change what the log says: each attempt
// gets the errno of docs/data-paths.md, and the extent file keeps its size.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

constexpr auto kEnd = static_cast<off_t>(kVolumeSize);

class BoundsTest : public EachPathTest {
 protected:
  void SetUp() override {
    EachPathTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    AddVolume("w", "pvc-2");
    mount_ = MountIt();
    ASSERT_TRUE(mount_);
    file_ = mount_->path() + "/v/data";
  }
  void TearDown() override {
    if (mount_ == nullptr) return;
    for (const char* volume : {"v", "w"}) {
      EXPECT_EQ(FileSize(ExtentFile(volume)), kEnd) << volume;
    }
    EXPECT_EQ(FileSize(file_), kEnd);
  }
  std::unique_ptr<Mount> mount_;
  std::string file_;
};

TEST_P(BoundsTest, PwriteAtOrPastTheEndIsEfbig) {
  const UniqueFd fd = OpenOrFail(file_, O_RDWR);
  EXPECT_EQ(ErrnoOf(::pwrite(fd.get(), "x", 1, kEnd)), EFBIG);
  EXPECT_EQ(ErrnoOf(::pwrite(fd.get(), "x", 1, kEnd + 4096)), EFBIG);
}

TEST_P(BoundsTest, PwriteAcrossTheEndStopsThere) {
  const UniqueFd fd = OpenOrFail(file_, O_RDWR);
  const std::string bytes(100, 'x');
  EXPECT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), kEnd - 10), 10);
  const std::string large(3 * kMiB, 'y');
  EXPECT_EQ(::pwrite(fd.get(), large.data(), large.size(),
                     kEnd - static_cast<off_t>(2 * kMiB) + 1),
            static_cast<ssize_t>(2 * kMiB) - 1);
  char last = 0;
  EXPECT_EQ(::pread(fd.get(), &last, 1, kEnd - 1), 1);
  EXPECT_EQ(last, 'y');
}

TEST_P(BoundsTest, AppendingIsEfbig) {
  const UniqueFd fd = OpenOrFail(file_, O_WRONLY | O_APPEND);
  EXPECT_EQ(ErrnoOf(::write(fd.get(), "x", 1)), EFBIG);
}

TEST_P(BoundsTest, FtruncateIsEpermExceptToTheSameSize) {
  const UniqueFd fd = OpenOrFail(file_, O_RDWR);
  EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), 0)), EPERM);
  EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), kEnd + 1)), EPERM);
  EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), kEnd)), 0);
}

TEST_P(BoundsTest, OpenWithTruncationIsEperm) {
  EXPECT_EQ(OpenErrno(file_, O_RDWR | O_TRUNC), EPERM);
  EXPECT_EQ(OpenErrno(file_, O_WRONLY | O_TRUNC | O_CREAT), EPERM);
}

TEST_P(BoundsTest, CopyFileRangeIsBoundedAsWriteIs) {
  const UniqueFd from = OpenOrFail(mount_->path() + "/w/data", O_RDWR);
  ASSERT_EQ(::pwrite(from.get(), "copied", 6, 0), 6);
  const UniqueFd to = OpenOrFail(file_, O_RDWR);
  const auto copy = [&](off_t at, std::size_t length) {
    off_t start = 0;
    return ::copy_file_range(from.get(), &start, to.get(), &at, length, 0);
  };
  EXPECT_EQ(ErrnoOf(copy(kEnd, 100)), EFBIG);
  EXPECT_EQ(copy(kEnd - 10, 100), 10);
  EXPECT_EQ(copy(4096, 6), 6);
  char bytes[6] = {};
  ASSERT_EQ(::pread(to.get(), bytes, 6, 4096), 6);
  EXPECT_EQ(std::string_view(bytes, 6), "copied");
}

TEST_P(BoundsTest, NamesCannotBeChanged) {
  const std::string root = mount_->path();
  const std::string made = root + "/v/new";
  EXPECT_EQ(OpenErrno(made, O_RDWR | O_CREAT), EPERM);
  EXPECT_EQ(ErrnoOf(::mkdir(made.c_str(), 0755)), EPERM);
  EXPECT_EQ(ErrnoOf(::mknod(made.c_str(), S_IFIFO | 0600, 0)), EPERM);
  EXPECT_EQ(ErrnoOf(::symlink("data", made.c_str())), EPERM);
  EXPECT_EQ(ErrnoOf(::link(file_.c_str(), made.c_str())), EPERM);
  EXPECT_EQ(ErrnoOf(::rename(file_.c_str(), made.c_str())), EPERM);
  EXPECT_EQ(ErrnoOf(::unlink(file_.c_str())), EPERM);
  EXPECT_EQ(ErrnoOf(::rmdir((root + "/v").c_str())), EPERM);
}

/// Those of volumes can: tests/integration/semantics, example 10.
TEST_P(BoundsTest, OwnersAndModesOfWhatIsNoVolumeStayButMayBeSetAsTheyAre) {
  ASSERT_TRUE(writer().Mkdir("byhand", {}).ok());
  ASSERT_TRUE(writer().CreateFile("byhand/f", kAllocUnit, {.mode = 0666}).ok());
  const std::string directory = mount_->path() + "/byhand";
  const std::string file = directory + "/f";
  EXPECT_EQ(ErrnoOf(::chmod(file.c_str(), 0600)), EPERM);
  EXPECT_EQ(ErrnoOf(::chown(file.c_str(), 1, 1)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(directory.c_str(), 0700)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(mount_->path().c_str(), 0700)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(file.c_str(), 0666)), 0);
  EXPECT_EQ(ErrnoOf(::chown(file.c_str(), 0, 0)), 0);
}

TEST_P(BoundsTest, AVolumesFileIsNeverExecuted) {
  EXPECT_EQ(ErrnoOf(::chmod(file_.c_str(), 04666)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(file_.c_str(), 0777)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(file_.c_str(), 0666)), 0);
  EXPECT_EQ(ErrnoOf(::chown(file_.c_str(), 0, 0)), 0);
}

TEST_P(BoundsTest, TimesAreRememberedByTheServer) {
  const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 0},
                             {.tv_sec = 2000, .tv_nsec = 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file_.c_str(), times, 0), 0);
  struct stat info = {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 2000);
  EXPECT_EQ(info.st_mtim.tv_nsec, 5);
}

TEST_P(BoundsTest, OtherExtendedAttributesAreNoneAndCannotBeSet) {
  EXPECT_EQ(ErrnoOf(::getxattr(file_.c_str(), "user.other", nullptr, 0)),
            ENODATA);
  EXPECT_EQ(ErrnoOf(::setxattr(file_.c_str(), "user.other", "1", 1, 0)),
            EOPNOTSUPP);
  EXPECT_EQ(DataPathOf(file_), GetParam());
  // Not listed: what copies attributes along would claim it elsewhere.
  char names[64] = {};
  EXPECT_EQ(::listxattr(file_.c_str(), names, sizeof(names)), 0);
  EXPECT_EQ(::listxattr(file_.c_str(), nullptr, 0), 0);
  EXPECT_EQ(ErrnoOf(::removexattr(file_.c_str(), "user.famfs.datapath")),
            EOPNOTSUPP);
}

TEST_P(BoundsTest, NamesThatAreTooLongAreToldApartFromMissingOnes) {
  const std::string root = mount_->path() + "/v/";
  struct statvfs figures = {};
  ASSERT_EQ(::statvfs(root.c_str(), &figures), 0);
  const auto stat_errno = [&](std::size_t length) {
    struct stat info = {};
    return ErrnoOf(::stat((root + std::string(length, 'n')).c_str(), &info));
  };
  EXPECT_EQ(stat_errno(figures.f_namemax), ENOENT);
  EXPECT_EQ(stat_errno(figures.f_namemax + 1), ENAMETOOLONG);
  EXPECT_EQ(stat_errno(255), ENAMETOOLONG);
  EXPECT_EQ(OpenErrno(root + std::string(200, 'n'), O_RDWR | O_CREAT),
            ENAMETOOLONG);
}

TEST_P(BoundsTest, InodeFiguresOfAVolumeAlarmNobody) {
  struct statvfs figures = {};
  ASSERT_EQ(::statvfs((mount_->path() + "/v").c_str(), &figures), 0);
  EXPECT_EQ(figures.f_files, 0U);
  EXPECT_EQ(figures.f_ffree, 0U);
}

TEST_P(BoundsTest, TheLogIsForRootAlone) {
  for (const char* name : {"/.meta/.log", "/.meta/.superblock"}) {
    const std::string file = mount_->path() + name;
    EXPECT_EQ(OpenErrno(file, O_RDONLY), 0);
    EXPECT_EQ(RunAs(1000, [&] { return OpenErrno(file, O_RDONLY); }), EACCES);
  }
}

TEST_P(BoundsTest, TheLogIsReadOnlyForRootToo) {
  for (const char* name : {"/.meta/.log", "/.meta/.superblock"}) {
    const std::string file = mount_->path() + name;
    EXPECT_EQ(OpenErrno(file, O_RDWR), EACCES);
    EXPECT_EQ(OpenErrno(file, O_WRONLY | O_TRUNC), EACCES);
    const UniqueFd fd = OpenOrFail(file, O_RDONLY);
    EXPECT_EQ(
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0),
        MAP_FAILED);
    // Read-only stays read-only, also through the backing file's mapping.
    void* const shared =
        ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(shared, MAP_FAILED);
    EXPECT_EQ(ErrnoOf(::mprotect(shared, 4096, PROT_READ | PROT_WRITE)),
              EACCES);
    ::munmap(shared, 4096);
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, BoundsTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

}  // namespace
}  // namespace famfs::itest
