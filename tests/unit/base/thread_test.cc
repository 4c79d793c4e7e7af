#include "base/thread.h"

#include <gtest/gtest.h>

#include <atomic>

#include "no_threads.h"

namespace famfs {
namespace {

TEST(ThreadTest, RunsTheBody) {
  std::atomic<int> ran = 0;
  auto thread = StartThread([&ran] { ++ran; });
  ASSERT_TRUE(thread.ok()) << thread.status();
  thread->join();
  EXPECT_EQ(ran, 1);
}

TEST(ThreadTest, HelpersHaveEndedWhenTheyAreDestroyed) {
  std::atomic<int> ran = 0;
  {
    const Helpers helpers(5, [&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 5);
}

TEST(ThreadTest, WhereThereIsNoneLeftItIsAnError) {
  EXPECT_TRUE(testing::WithoutThreads([] {
    const auto thread = StartThread([] {});
    return absl::IsUnavailable(thread.status()) &&
           Message(thread.status()).find("ulimit") != std::string_view::npos;
  }));
}

TEST(ThreadTest, HelpersMayBeNone) {
  EXPECT_TRUE(testing::WithoutThreads([] {
    bool ran = false;
    {
      const Helpers helpers(5, [&ran] { ran = true; });
    }
    return !ran;
  }));
}

}  // namespace
}  // namespace famfs
