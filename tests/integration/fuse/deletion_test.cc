// Deleted volumes, dead servers: what goes on and what does not.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/integration/fuse/fixture.h"

namespace famfs::itest {
namespace {

class DeletionTest : public EachPathTest {
 protected:
  void SetUp() override {
    EachPathTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    AddVolume("v", "pvc-1");
    mount_ = MountIt();
    ASSERT_TRUE(mount_);
    file_ = mount_->path() + "/v/data";
  }
  void Delete(const std::string& directory) {
    const absl::Status deleted = writer().DeleteVolume(directory);
    ASSERT_TRUE(deleted.ok()) << deleted;
    const absl::Status compacted = writer().Compact();
    ASSERT_TRUE(compacted.ok()) << compacted;
  }
  std::unique_ptr<Mount> mount_;
  std::string file_;
};

std::string Self(int fd) { return fmt::format("/proc/thread-self/fd/{}", fd); }

TEST_P(DeletionTest, AMappingAndAHandleGoOnAndNewOpensDoNot) {
  const Mapped mapped(file_, O_RDWR);
  ASSERT_TRUE(mapped.ok());
  mapped.Store(0, "mine");
  Delete("v");
  const int by_name = OpenErrno(file_, O_RDONLY);
  EXPECT_TRUE(by_name == ENOENT || by_name == ESTALE) << by_name;
  EXPECT_EQ(OpenErrno(Self(mapped.fd()), O_RDWR), ESTALE);
  EXPECT_EQ(mapped.Text(0, 4), "mine");
  mapped.Store(4096, "still");
  ASSERT_EQ(::pwrite(mapped.fd(), "written", 7, 8192), 7);
  char bytes[7] = {};
  ASSERT_EQ(::pread(mapped.fd(), bytes, 7, 8192), 7);
  EXPECT_EQ(std::string_view(bytes, 7), "written");
  // As of an unlinked file: no links; there is no volume to give figures of.
  struct stat info = {};
  EXPECT_TRUE(rig::Eventually(
      [&] { return ::fstat(mapped.fd(), &info) == 0 && info.st_nlink == 0; }));
  struct statvfs figures = {};
  EXPECT_EQ(ErrnoOf(::fstatvfs(mapped.fd(), &figures)), ESTALE);
}

TEST_P(DeletionTest, AMappingWhoseDescriptorWasClosedGoesOnToo) {
  Mapped mapped(file_, O_RDWR);
  ASSERT_TRUE(mapped.ok());
  mapped.Store(0, "mine");
  mapped.CloseDescriptor();
  Delete("v");
  AddVolume("w", "pvc-2");  // takes the same place on the device
  EXPECT_EQ(mapped.Text(0, 4), "mine");
  mapped.Store(4 * kMiB, "fault");
  EXPECT_EQ(mapped.Text(4 * kMiB, 5), "fault");
  const Mapped other(mount_->path() + "/w/data", O_RDONLY);
  ASSERT_TRUE(other.ok());
  EXPECT_TRUE(other.Text(0, kVolumeSize) == std::string(kVolumeSize, '\0'));
}

TEST_P(DeletionTest, CachedNamesAreDroppedWithoutAnOpen) {
  struct stat info = {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);  // cached by the kernel now
  Delete("v");
  EXPECT_TRUE(rig::Eventually(
      [&] { return ErrnoOf(::stat(file_.c_str(), &info)) == ENOENT; }));
}

TEST_P(DeletionTest, TheSameClaimMadeAgainIsZeroAndTheOldMappingKeepsItsBytes) {
  const Mapped old(file_, O_RDWR);
  ASSERT_TRUE(old.ok());
  old.Store(0, "old");
  ASSERT_EQ(::pwrite(old.fd(), "old", 3, 4096), 3);
  Delete("v");
  AddVolume("v-2", "pvc-1");
  const Mapped fresh(mount_->path() + "/v-2/data", O_RDWR);
  ASSERT_TRUE(fresh.ok());
  const std::string zeros(kVolumeSize, '\0');
  EXPECT_TRUE(fresh.Text(0, kVolumeSize) == zeros);
  fresh.Store(0, "new");
  EXPECT_EQ(old.Text(0, 3), "old");
  old.Store(0, "OLD");
  EXPECT_EQ(fresh.Text(0, 3), "new");
  char bytes[3] = {};
  ASSERT_EQ(::pread(old.fd(), bytes, 3, 4096), 3);
  EXPECT_EQ(std::string_view(bytes, 3), "old");
}

TEST_P(DeletionTest, TheSamePathMadeAgainByHandIsAnotherFile) {
  auto old = std::make_unique<Mapped>(file_, O_RDWR);
  ASSERT_TRUE(old->ok());
  old->Store(0, "old");
  Delete("v");
  AddVolume("v", "pvc-1");  // the compaction has dropped the dead path
  // With the old one open, the new one may be refused, never be the old one.
  const int error = OpenErrno(file_, O_RDONLY);
  EXPECT_TRUE(error == 0 || error == ESTALE) << error;
  EXPECT_EQ(old->Text(0, 3), "old");
  old.reset();
  // Until the server has read the log, the path is the old one's.
  EXPECT_TRUE(rig::Eventually([&] {
    const Mapped fresh(file_, O_RDONLY);
    return fresh.ok() && fresh.Text(0, 3) == std::string_view("\0\0\0", 3);
  }));
}

TEST_P(DeletionTest, ABindOfADeletedVolumeHasNoFiles) {
  const rig::TempDir bind;
  const std::string from = mount_->path() + "/v";
  ASSERT_EQ(
      ::mount(from.c_str(), bind.path().c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(OpenErrno(bind / "data", O_RDWR), 0);
  Delete("v");
  EXPECT_TRUE(rig::Eventually([&] {
    const int error = OpenErrno(bind / "data", O_RDWR);
    return error == ENOENT || error == ESTALE;
  }));
  struct statvfs figures = {};
  EXPECT_EQ(ErrnoOf(::statvfs(bind.path().c_str(), &figures)), ESTALE);
  EXPECT_EQ(::umount2(bind.path().c_str(), MNT_DETACH), 0);
}

TEST_P(DeletionTest, AReadOnlyBindRefusesWritersBesideAWritableOne) {
  const rig::TempDir bind;
  const std::string from = mount_->path() + "/v";
  ASSERT_EQ(
      ::mount(from.c_str(), bind.path().c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, bind.path().c_str(), nullptr,
                    MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr),
            0);
  EXPECT_EQ(OpenErrno(bind / "data", O_RDWR), EROFS);
  const Mapped writer(file_, O_RDWR);
  const Mapped reader(bind / "data", O_RDONLY);
  ASSERT_TRUE(writer.ok() && reader.ok());
  writer.Store(0, "seen");
  if (std::string_view(GetParam()) == "passthrough") {
    EXPECT_EQ(reader.Text(0, 4), "seen");
  }
  EXPECT_EQ(::umount2(bind.path().c_str(), MNT_DETACH), 0);
}

TEST_F(PassthroughTest, AMappingOutlivesTheServerAndNewOpensAreEnotconn) {
  AddVolume("v", "pvc-1");
  auto mount = MountIt({.data_path = "passthrough"});
  ASSERT_TRUE(mount);
  const std::string file = mount->path() + "/v/data";
  const Mapped mapped(file, O_RDWR);
  const Mapped read_only(file, O_RDONLY);
  ASSERT_TRUE(mapped.ok() && read_only.ok());
  mapped.Store(0, "before");
  mount->server().Kill();
  EXPECT_EQ(OpenErrno(file, O_RDONLY), ENOTCONN);
  EXPECT_EQ(mapped.Text(0, 6), "before");
  mapped.Store(2 * kMiB, "after");  // a new fault too
  EXPECT_EQ(read_only.Text(2 * kMiB, 5), "after");
  // A follower serves the same inodes and the same memory.
  const auto follower = MountIt({.data_path = "passthrough"});
  ASSERT_TRUE(follower);
  const Mapped again(follower->path() + "/v/data", O_RDWR);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.Text(2 * kMiB, 5), "after");
  struct stat old_info = {};
  struct stat new_info = {};
  ASSERT_EQ(::fstat(again.fd(), &new_info), 0);
  if (::fstat(mapped.fd(), &old_info) == 0) {
    EXPECT_EQ(old_info.st_ino, new_info.st_ino);
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, DeletionTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) {
                           return std::string(path.param);
                         });

}  // namespace
}  // namespace famfs::itest
