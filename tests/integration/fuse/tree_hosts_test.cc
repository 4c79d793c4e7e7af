// Servers of tree volumes that come, go, and find no place in the host table,
// through real mounts.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <vector>

#include "instance/deletion/host_session.h"
#include "tests/integration/fuse/tree_fixture.h"

namespace famfs::itest {
namespace {

using TreeHostsTest = TreeFuseTest;

INSTANTIATE_TEST_SUITE_P(Paths, TreeHostsTest,
                         ::testing::Values("passthrough", "copied", "copy"),
                         NameOfPath);

/// Elsewhere no mount starts without a row.
using RowlessHostsTest = TreeFuseTest;

INSTANTIATE_TEST_SUITE_P(Paths, RowlessHostsTest,
                         ::testing::Values("passthrough", "copied"),
                         NameOfPath);

TEST_P(RowlessHostsTest, WhoFoundNoRowChangesNothingUntilThereIsOne) {
  ASSERT_EQ(Write(root_ + "f", "text"), 0);
  std::vector<std::unique_ptr<HostSession>> others;
  for (std::uint32_t i = 1; i <= kHostRows; ++i) {
    auto taken = HostSession::Register(
        *writer().device(), {.host = Uuid::Random(), .boot = i, .session = i});
    if (!taken.ok()) break;
    others.push_back(*std::move(taken));
  }
  ASSERT_EQ(others.size(), kHostRows - 1) << "one is the mount's";
  const auto late = MountIt();
  ASSERT_NE(late, nullptr);
  const std::string there = late->path() + "/v/";
  EXPECT_EQ(rig::ReadWholeFile(there + "f"), "text");
  EXPECT_EQ(Write(there + "f", "x"), EROFS);
  EXPECT_EQ(OpenErrno(there + "f", O_RDONLY | O_TRUNC), EROFS);
  EXPECT_EQ(ErrnoOf(::mkdir((there + "d").c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrnoOf(::truncate((there + "f").c_str(), 0)), EROFS);
  others.back()->Close();
  others.pop_back();
  EXPECT_TRUE(rig::Eventually([&] { return Write(there + "f", "more") == 0; }));
  EXPECT_EQ(rig::ReadWholeFile(root_ + "f"), "more");
}

TEST_P(TreeHostsTest, AServerThatIsEndedTellsTheSizesOfOpenFiles) {
  const UniqueFd fd(
      ::open((root_ + "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const std::string text(3 * kMiB, 't');
  ASSERT_EQ(::write(fd.get(), text.data(), text.size()),
            static_cast<ssize_t>(text.size()));
  mount_->server().Signal(SIGTERM);
  ASSERT_TRUE(rig::Eventually([this] { return !mount_->server().Running(); }));
  EXPECT_EQ(writer().Tree()->FindPath("v/f")->size, text.size());
}

// What a file of the device's own holds outlives its server. It must not come
// back later, when somebody else opens the file.
TEST_P(RowlessHostsTest, WhatADeadServerHasStoredIsThere) {
  UniqueFd fd(
      ::open((root_ + "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(fd.get(), "nobody was told", 15), 15);
  mount_->server().Kill();
  fd.reset();
  EXPECT_EQ(writer().Tree()->FindPath("v/f")->size, 0U);
  const auto next = MountIt();
  ASSERT_NE(next, nullptr);
  const std::string f = next->path() + "/v/f";
  EXPECT_EQ(FileSize(f), 15);
  {
    const UniqueFd again(::open(f.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::pwrite(again.get(), "N", 1, 0), 1);
    EXPECT_EQ(::fsync(again.get()), 0);
  }
  EXPECT_EQ(FileSize(f), 15);
  EXPECT_EQ(rig::ReadWholeFile(f), "Nobody was told");
  EXPECT_EQ(writer().Tree()->FindPath("v/f")->size, 15U);
}

TEST_P(TreeHostsTest, AServerEndsAlthoughTheOwnerIsAway) {
  const UniqueFd fd(
      ::open((root_ + "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(fd.get(), "text", 4), 4);
  StopOwner();
  ASSERT_EQ(::pwrite(fd.get(), "longer", 6, 2), 6);
  mount_->server().Signal(SIGTERM);
  EXPECT_TRUE(rig::Eventually([this] { return !mount_->server().Running(); }));
  StartOwner();
}

}  // namespace
}  // namespace famfs::itest
