#include "node/pools/pool_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>

namespace famfs::node {
namespace {

using ::testing::HasSubstr;
using Clock = PoolWatch::Clock;

constexpr std::chrono::seconds kPatience{30};

// Looks that stand still until they are let go; each says which it was. Shared
// with the watch, which may outlive the test's own part in it.
class Gate {
 public:
  absl::Status Look() {
    std::unique_lock lock(mutex_);
    const int number = ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_ >= number; });
    return Unavailable("look {}", number);
  }
  bool WaitUntilBegun(int number) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return begun_ >= number; });
  }
  /// Looks up to this one may end.
  void Open(int number) {
    const std::lock_guard lock(mutex_);
    open_ = number;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0;
  int open_ = 0;
};

class PoolWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto watch = PoolWatch::Start(
        "fast", [gate = gate_](bool /*asked*/) { return gate->Look(); });
    ASSERT_TRUE(watch.ok()) << Message(watch.status());
    watch_ = *std::move(watch);
    ASSERT_TRUE(gate_->WaitUntilBegun(1));
  }
  ~PoolWatchTest() override { gate_->Open(1'000'000); }
  std::string Outcome(PoolWatch::Ticket ticket) {
    return std::string(
        Message(watch_->Await(ticket, Clock::now() + kPatience)));
  }

  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::unique_ptr<PoolWatch> watch_;
};

TEST_F(PoolWatchTest, ALookThatWasUnderWayIsNotWhatWasAskedFor) {
  const PoolWatch::Ticket ticket = watch_->Ask();
  gate_->Open(2);
  EXPECT_EQ(Outcome(ticket), "look 2");
}

TEST_F(PoolWatchTest, WhoeverAsksBeforeItBeginsSharesALook) {
  const PoolWatch::Ticket first = watch_->Ask();
  const PoolWatch::Ticket second = watch_->Ask();
  gate_->Open(2);
  EXPECT_EQ(Outcome(second), "look 2");
  EXPECT_EQ(Outcome(first), "look 2");
}

TEST_F(PoolWatchTest, OneThatDoesNotEndIsAnswered) {
  const absl::Status status =
      watch_->Await(watch_->Ask(), Clock::now() + std::chrono::milliseconds(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("pool fast: its device"));
}

TEST_F(PoolWatchTest, OneThatDoesNotEndIsLeftBehind) {
  watch_.reset();  // returns, though the look goes on
  gate_->Open(1);
}

TEST_F(PoolWatchTest, StoppedItAnswersWhoeverWaits) {
  auto waiting =
      std::async(std::launch::async, [&] { return Outcome(watch_->Ask()); });
  watch_->Stop();
  EXPECT_EQ(waiting.get(), "pool fast: the plugin ends");
}

TEST(PoolWatchLooks, AreNotEndedByAnException) {
  std::atomic<bool> asked = false;
  auto watch = PoolWatch::Start("fast", [&](bool by_somebody) -> absl::Status {
    asked = by_somebody;
    throw std::runtime_error("out of luck");
  });
  ASSERT_TRUE(watch.ok()) << Message(watch.status());
  const absl::Status status =
      (*watch)->Await((*watch)->Ask(), Clock::now() + kPatience);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("out of luck"));
  EXPECT_TRUE(asked);
}

TEST(PoolWatchLooks, GoOnUntilWhatIsWaitedForIsTrue) {
  std::atomic<int> looks = 0;
  auto watch = PoolWatch::Start("fast", [&](bool /*asked*/) {
    ++looks;
    return absl::OkStatus();
  });
  ASSERT_TRUE(watch.ok()) << Message(watch.status());
  EXPECT_TRUE((*watch)->AwaitUntil([&] { return looks >= 3; },
                                   Clock::now() + kPatience));
  EXPECT_FALSE((*watch)->AwaitUntil([] { return false; }, Clock::now()));
}

}  // namespace
}  // namespace famfs::node
