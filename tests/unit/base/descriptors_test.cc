// How many descriptors a program may have, and how many of them strangers.
#include "base/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace famfs {
namespace {

class DescriptorsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0); }
  void TearDown() override { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void Limit(rlim_t soft) const {
    const rlimit limit = {.rlim_cur = soft, .rlim_max = before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  rlimit before_ = {};
};

TEST_F(DescriptorsTest, TheLimitIsRaisedAsFarAsItMayBe) {
  ASSERT_NO_FATAL_FAILURE(Limit(64));
  RaiseDescriptorLimit();
  rlimit now = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, before_.rlim_max);
  EXPECT_EQ(now.rlim_max, before_.rlim_max);
}

TEST_F(DescriptorsTest, StrangersLeaveSomeForWhatMatters) {
  ASSERT_NO_FATAL_FAILURE(Limit(64));
  EXPECT_EQ(StrangersDescriptorLimit(), 32);
  if (before_.rlim_max < 4096)
    GTEST_SKIP() << "the hard limit of descriptors here is below 4096";
  ASSERT_NO_FATAL_FAILURE(Limit(4096));
  EXPECT_EQ(StrangersDescriptorLimit(), 3072);
}

}  // namespace
}  // namespace famfs
