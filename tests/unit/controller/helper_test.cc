#include "controller/helper.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>

#include "controller/pool.h"
#include "tests/unit/base/no_threads.h"

namespace famfs::controller {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

std::unique_ptr<Helper> Start(
    const Helper::Job& tick = [] {}, milliseconds interval = hours(1)) {
  auto helper = Helper::Start("a test", tick, interval);
  EXPECT_TRUE(helper.ok()) << helper.status();
  return *std::move(helper);
}

// A job that begins and does not end before it is let go.
struct Held {
  std::promise<void> begun;
  std::promise<void> let_go;
  Helper::Job job = [this] {
    begun.set_value();
    let_go.get_future().wait();
  };
};

TEST(HelperTest, RunsJobsInTurn) {
  const auto helper = Start();
  std::string order;
  EXPECT_TRUE(helper->Do([&] { order += "a"; }, minutes(1)));
  EXPECT_TRUE(helper->Do([&] { order += "b"; }, minutes(1)));
  EXPECT_EQ(order, "ab");
}

TEST(HelperTest, NobodyWaitsLongerThanHeWants) {
  Held held;
  std::atomic<int> begun = 0;
  const auto helper = Start();
  auto holder = std::async(std::launch::async,
                           [&] { return helper->Do(held.job, minutes(1)); });
  held.begun.get_future().wait();
  // Behind it: in vain, and it never begins, since nobody waits for it.
  EXPECT_FALSE(helper->Do([&] { ++begun; }, milliseconds(10)));
  // It is known to hang by now: at once.
  EXPECT_FALSE(helper->Do([&] { ++begun; }, milliseconds(1)));
  EXPECT_GE(helper->busy(), milliseconds(10));
  held.let_go.set_value();
  EXPECT_TRUE(holder.get());
  EXPECT_TRUE(helper->Do([] {}, minutes(1)));
  EXPECT_EQ(begun, 0);
}

TEST(HelperTest, AJobThatThrowsIsNotTheLast) {
  const auto helper = Start();
  EXPECT_TRUE(helper->Do([] { throw std::runtime_error("no"); }, minutes(1)));
  EXPECT_TRUE(helper->Do([] {}, minutes(1)));
}

TEST(HelperTest, TicksWithoutAJobAndFirstOfAll) {
  std::promise<void> third;
  std::atomic<int> ticks = 0;
  const auto helper = Start(
      [&] {
        if (++ticks == 3) third.set_value();
      },
      milliseconds(1));
  EXPECT_EQ(third.get_future().wait_for(minutes(1)), std::future_status::ready);
  const auto slow = Start([&] { ticks = 0; });
  EXPECT_TRUE(slow->Do([&] { ticks += 100; }, minutes(1)));
  EXPECT_GE(ticks, 100) << "the job came before the first tick";
}

TEST(HelperTest, StopLetsEverybodyGo) {
  Held held;
  const auto helper = Start();
  auto waiting = std::async(std::launch::async,
                            [&] { return helper->Do(held.job, minutes(5)); });
  held.begun.get_future().wait();
  helper->Stop();
  EXPECT_EQ(waiting.wait_for(minutes(1)), std::future_status::ready);
  EXPECT_FALSE(waiting.get());
  EXPECT_FALSE(helper->Do([] {}, minutes(5)));
  held.let_go.set_value();
}

TEST(HelperTest, WithoutAThreadThereIsNone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(testing::ExitWithoutThreads([] {
                return Helper::Start(
                           "pool a", [] {}, hours(1))
                    .status();
              }),
              ::testing::ExitedWithCode(0),
              "pool a: a thread cannot be started");
}

TEST(HelperTest, WithoutThreadsThereAreNoPools) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  csi::Config config;
  config.pools.emplace_back().name = "a";
  config.pools.back().device = {DeviceSpec::Kind::kImage, "/nothing"};
  EXPECT_EXIT(testing::ExitWithoutThreads(
                  [&] { return PoolSet::Start(config).status(); }),
              ::testing::ExitedWithCode(0),
              "pool a: a thread cannot be started");
}

}  // namespace
}  // namespace famfs::controller
