// Files of tree volumes that are removed while they are open, through real
// mounts.
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include "instance/mailbox/orphans.h"
#include "instance/tree/hidden_name.h"
#include "tests/integration/fuse/tree_fixture.h"

namespace famfs::itest {
namespace {

class TreeRemovedTest : public TreeFuseTest {
 protected:
  /// As the owner sees them.
  std::size_t NodesOfVolume() {
    const Reader::View tree = writer().Tree();
    return tree->FindPath("v")->children;
  }
  static std::set<std::string> Names(const std::string& path) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.insert(entry.path().filename());
    }
    return names;
  }
};

INSTANTIATE_TEST_SUITE_P(Paths, TreeRemovedTest,
                         ::testing::Values("passthrough", "copied", "copy"),
                         NameOfPath);

UniqueFd Make(const std::string& path) {
  return UniqueFd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

TEST_P(TreeRemovedTest, AFileThatWasRemovedWhileItIsOpenGrows) {
  ASSERT_EQ(::mkdir((root_ + "d").c_str(), 0755), 0);
  UniqueFd fd = Make(root_ + "d/f");
  ASSERT_TRUE(fd.valid());
  ASSERT_EQ(::unlink((root_ + "d/f").c_str()), 0);
  EXPECT_EQ(::rmdir((root_ + "d").c_str()), 0) << "it is empty";
  const std::string text(5 * kMiB, 't');
  ASSERT_EQ(::write(fd.get(), text.data(), text.size()),
            static_cast<ssize_t>(text.size()));
  ASSERT_EQ(::ftruncate(fd.get(), 9 * kMiB), 0);
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, 12 * kMiB), 0);
  EXPECT_EQ(::fsync(fd.get()), 0);
  struct stat info = {};
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_nlink, 0U);
  EXPECT_EQ(info.st_size, static_cast<off_t>(12 * kMiB));
  std::string bytes(text.size(), '\0');
  ASSERT_EQ(::pread(fd.get(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_TRUE(bytes == text);
  // It can be opened once more by who has it.
  const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
  EXPECT_EQ(OpenErrno(self, O_RDWR), 0);
  fd.reset();
  EXPECT_TRUE(rig::Eventually([this] { return NodesOfVolume() == 0; }));
}

TEST_P(TreeRemovedTest, NobodySeesItOrTakesItsName) {
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  const std::string there = other->path() + "/v/";
  const UniqueFd fd = Make(root_ + "f");
  ASSERT_EQ(::unlink((root_ + "f").c_str()), 0);
  std::string hidden;
  {
    const Reader::View tree = writer().Tree();
    for (const Node& node : tree->Children(*tree->FindPath("v"))) {
      hidden = node.name;
    }
  }
  ASSERT_TRUE(SessionOfHiddenName(hidden).has_value()) << hidden;
  for (const std::string& root :
       {root_, there, mount_->path() + "/.meta/ro/v/"}) {
    EXPECT_EQ(Names(root), std::set<std::string>{}) << root;
    EXPECT_EQ(FileSize(root + hidden), -1);
  }
  EXPECT_EQ(Write(root_ + "g", "g"), 0);
  EXPECT_EQ(ErrnoOf(::rename((root_ + "g").c_str(), (root_ + hidden).c_str())),
            EPERM);
  EXPECT_EQ(Write(there + hidden, "x"), EPERM);
  EXPECT_EQ(Write(root_ + "f", "another"), 0);
  EXPECT_EQ(rig::ReadWholeFile(there + "f"), "another");
}

TEST_P(TreeRemovedTest, TheOwnerRemovesThoseOfHostsThatAreGone) {
  const auto mine = MountIt();
  ASSERT_NE(mine, nullptr);
  const UniqueFd kept = Make(root_ + "kept");
  UniqueFd lost = Make(mine->path() + "/v/lost");
  ASSERT_EQ(::unlink((root_ + "kept").c_str()), 0);
  ASSERT_EQ(::unlink((mine->path() + "/v/lost").c_str()), 0);
  EXPECT_EQ(NodesOfVolume(), 2U);
  Orphans orphans(std::chrono::seconds(0));
  EXPECT_EQ(orphans.Remove(writer()), 0U);
  mine->server().Kill();
  lost.reset();
  const auto next = MountIt();  // which ends the session of the one before
  ASSERT_NE(next, nullptr);
  EXPECT_TRUE(rig::Eventually([&] {
    orphans.Remove(writer());
    return NodesOfVolume() == 1;
  }));
  ASSERT_EQ(::ftruncate(kept.get(), 5 * kMiB), 0);
}

TEST_P(TreeRemovedTest, OfOneThatAnotherMountRemovedWhatItHasStays) {
  const auto other = MountIt();
  ASSERT_NE(other, nullptr);
  const UniqueFd fd = Make(root_ + "f");
  ASSERT_EQ(::write(fd.get(), "text", 4), 4);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 2 * kMiB), 0);
  ASSERT_EQ(::unlink((other->path() + "/v/f").c_str()), 0);
  EXPECT_EQ(FileSize(root_ + "f"), -1) << "the log was looked at";
  EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, kMiB)), 0);
  struct stat info = {};
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(kMiB));
  EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, 3 * kMiB)), ENOSPC);
}

}  // namespace
}  // namespace famfs::itest
