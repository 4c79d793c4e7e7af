#include "node/mounts/mount_at.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/unique_fd.h"

namespace famfs::node {
namespace {

class MountAtTest : public ::testing::Test {
 protected:
  UniqueFd root_{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  UniqueFd proc_{::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(MountAtTest, TellsWhatTheTableTells) {
  const auto table = MountTable::Read();
  ASSERT_TRUE(table.ok());
  const MountEntry* expected = table->Top("/proc");
  ASSERT_NE(expected, nullptr);
  const auto found = FindMountAt(root_.get(), "proc");
  ASSERT_TRUE(found.ok()) << Message(found.status());
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->id, expected->id);
  EXPECT_EQ((*found)->device, expected->device);
  const auto described = DescribeMountAt(root_.get(), "proc");
  if (absl::IsUnimplemented(described.status())) {
    GTEST_SKIP() << "needs a kernel with statmount(2) (Linux 6.8 or later)";
  }
  ASSERT_TRUE(described.ok()) << Message(described.status());
  ASSERT_TRUE(described->has_value());
  EXPECT_EQ((*described)->id, expected->id);
  EXPECT_EQ((*described)->parent, expected->parent);
  EXPECT_EQ((*described)->device, expected->device);
  EXPECT_EQ((*described)->root, expected->root);
  for (const char* option :
       {"ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nosymfollow"}) {
    EXPECT_EQ((*described)->HasOption(option), expected->HasOption(option))
        << option;
  }
}

TEST_F(MountAtTest, WhatIsNoMountPointOrNotThereIsNone) {
  for (const char* name : {"self", "no-such-thing"}) {
    const auto found = FindMountAt(proc_.get(), name);
    ASSERT_TRUE(found.ok()) << Message(found.status());
    EXPECT_FALSE(found->has_value()) << name;
    const auto described = DescribeMountAt(proc_.get(), name);
    ASSERT_TRUE(described.ok()) << Message(described.status());
    EXPECT_FALSE(described->has_value()) << name;
  }
}

TEST_F(MountAtTest, KnowsAMountsRootAndDevice) {
  const UniqueFd within(::open("/proc/sys", O_PATH | O_CLOEXEC));
  EXPECT_TRUE(IsMountRoot(proc_.get()).value());
  EXPECT_FALSE(IsMountRoot(within.get()).value());
  EXPECT_EQ(DeviceOf(proc_.get()).value(), DeviceOf(within.get()).value());
  EXPECT_NE(DeviceOf(proc_.get()).value(), DeviceOf(root_.get()).value());
}

}  // namespace
}  // namespace famfs::node
