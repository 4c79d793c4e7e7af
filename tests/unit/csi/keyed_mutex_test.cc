#include "csi/process/keyed_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

// Both threads hold their key when they meet: if one waited for the other, they
// would never meet, and the test would not end.
TEST(KeyedMutex, TwoKeysNeverWaitOnEachOther) {
  KeyedMutex mutex;
  std::barrier rendezvous(2);
  const auto hold = [&](const char* key) {
    const auto guard = mutex.Lock(key);
    rendezvous.arrive_and_wait();  // each has its key
    rendezvous.arrive_and_wait();  // and still had it when the other had
  };
  std::thread other(hold, "volume-b");
  hold("volume-a");
  other.join();
  EXPECT_EQ(mutex.size(), 0U);
}

// Even while others queue for a key, a different one is free at once.
TEST(KeyedMutex, AQueueOnOneKeyDoesNotDelayAnother) {
  KeyedMutex mutex;
  auto held = std::make_optional(mutex.Lock("volume-a"));
  std::vector<std::thread> queue;
  for (int i = 0; i < 4; ++i) {
    queue.emplace_back([&] { const auto guard = mutex.Lock("volume-a"); });
  }
  ASSERT_TRUE(WaitUntil([&] { return mutex.waiters("volume-a") == 4; }));
  {
    const auto other = mutex.Lock("volume-b");  // in this thread: no wait
    EXPECT_EQ(mutex.waiters("volume-b"), 0U);
    EXPECT_EQ(mutex.waiters("volume-a"), 4U);
  }
  held.reset();
  for (std::thread& thread : queue) thread.join();
  EXPECT_EQ(mutex.size(), 0U);
}

TEST(KeyedMutex, AWaitWithALimitEnds) {
  KeyedMutex mutex;
  {
    const auto held = mutex.Lock("volume");
    EXPECT_FALSE(
        mutex.LockWithin("volume", std::chrono::milliseconds(1)).has_value());
    EXPECT_EQ(mutex.waiters("volume"), 0U);
  }
  EXPECT_EQ(mutex.size(), 0U);
  EXPECT_TRUE(
      mutex.LockWithin("volume", std::chrono::milliseconds(1)).has_value());
}

// Who shares a key lets nobody in before one who waits for it alone.
TEST(KeyedMutex, OneWhoGivesUpLetsTheOthersIn) {
  KeyedMutex mutex;
  const auto sharer = mutex.LockShared("volume");
  std::optional<KeyedMutex::Guard> alone;
  std::thread waiting([&] {
    alone = mutex.LockWithin("volume", std::chrono::milliseconds(200));
  });
  ASSERT_TRUE(WaitUntil([&] { return mutex.waiters("volume") == 1; }));
  const auto second = mutex.LockShared("volume");
  waiting.join();
  EXPECT_FALSE(alone.has_value());
}

TEST(KeyedMutex, TheSameKeyWaits) {
  KeyedMutex mutex;
  std::atomic<bool> entered = false;
  auto held = std::make_optional(mutex.Lock("volume"));
  std::thread second([&] {
    const auto guard = mutex.Lock("volume");
    entered = true;
  });
  // The second thread is seen waiting, and has not entered.
  ASSERT_TRUE(WaitUntil([&] { return mutex.waiters("volume") == 1; }));
  EXPECT_FALSE(entered);
  held.reset();
  second.join();
  EXPECT_TRUE(entered);
}

TEST(KeyedMutex, OneHolderAtATime) {
  KeyedMutex mutex;
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  int counter = 0;  // guarded by the key alone
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) {
        const auto guard = mutex.Lock("volume");
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, kThreads * kRounds);
  EXPECT_EQ(mutex.size(), 0U);
}

TEST(KeyedMutex, TryLockAnswersInsteadOfWaiting) {
  KeyedMutex mutex;
  auto first = mutex.TryLock("volume");
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(mutex.TryLock("volume").has_value());
  EXPECT_TRUE(mutex.TryLock("other").has_value());
  first.reset();
  EXPECT_TRUE(mutex.TryLock("volume").has_value());
}

// All hold the key when they meet; one who wants it alone comes after them and
// before who asks to share it later.
TEST(KeyedMutex, ManyShareAKeyAndOneAloneIsNotKeptOut) {
  KeyedMutex mutex;
  auto first = std::make_optional(mutex.LockShared("volume"));
  auto second = std::make_optional(mutex.LockShared("volume"));
  EXPECT_FALSE(mutex.TryLock("volume").has_value());
  std::atomic<int> order = 0;
  int alone_came = 0;
  int late_came = 0;
  std::thread alone([&] {
    const auto guard = mutex.Lock("volume");
    alone_came = ++order;
  });
  ASSERT_TRUE(WaitUntil([&] { return mutex.waiters("volume") == 1; }));
  std::thread late([&] {
    const auto guard = mutex.LockShared("volume");
    late_came = ++order;
  });
  ASSERT_TRUE(WaitUntil([&] { return mutex.waiters("volume") == 2; }));
  first.reset();
  EXPECT_EQ(order, 0);
  second.reset();
  alone.join();
  late.join();
  EXPECT_EQ(alone_came, 1);
  EXPECT_EQ(late_came, 2);
  EXPECT_EQ(mutex.size(), 0U);
}

TEST(KeyedMutex, AMovedGuardReleasesOnce) {
  KeyedMutex mutex;
  {
    auto first = mutex.Lock("a");
    auto second = std::move(first);
    EXPECT_FALSE(mutex.TryLock("a").has_value());
    second = mutex.Lock("b");  // releases a
    EXPECT_TRUE(mutex.TryLock("a").has_value());
    EXPECT_FALSE(mutex.TryLock("b").has_value());
  }
  EXPECT_EQ(mutex.size(), 0U);
}

}  // namespace
}  // namespace famfs::csi
