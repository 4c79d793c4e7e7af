// base/mutex.h: what its locks exclude, and what wakes who waits. That the
// compiler checks the annotations is tests/lint's to see.
#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace famfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLong{60};

/// Whether somebody else could lock it now.
bool IsFree(Mutex& mutex) {
  bool free = false;
  std::thread([&] {
    if (!mutex.TryLock()) return;
    free = true;
    mutex.Unlock();
  }).join();
  return free;
}

class Counter {
 public:
  void Add(int count) {
    const MutexLock lock(mutex_);
    count_ += count;
    changed_.NotifyAll();
  }
  void Await(int count) {
    const MutexLock lock(mutex_);
    while (count_ < count) changed_.Wait(mutex_);
  }
  bool AwaitUntil(int count, Clock::time_point end) {
    const MutexLock lock(mutex_);
    while (count_ < count && changed_.WaitUntil(mutex_, end)) {
    }
    return count_ >= count;
  }
  int count() {
    const MutexLock lock(mutex_);
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(MutexTest, KeepsTwoThreadsApart) {
  constexpr int kTimes = 10'000;
  Counter counter;
  const auto add = [&] {
    for (int i = 0; i < kTimes; ++i) counter.Add(1);
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(counter.count(), 2 * kTimes);
}

TEST(MutexTest, IsHeldWhileALockLives) {
  Mutex mutex;
  {
    const MutexLock lock(mutex);
    EXPECT_FALSE(IsFree(mutex));
  }
  EXPECT_TRUE(IsFree(mutex));
}

TEST(MutexTest, LockCanBeGivenUpAndTakenAgain) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    lock.Unlock();
    EXPECT_TRUE(IsFree(mutex));
    lock.Lock();
    EXPECT_FALSE(IsFree(mutex));
  }
  EXPECT_TRUE(IsFree(mutex));
}

TEST(MutexTest, LockThatIsGivenUpIsNotUnlockedAtItsEnd) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    lock.Unlock();
  }
  EXPECT_TRUE(IsFree(mutex));
}

TEST(MutexTest, LockTakesOverWhatTryLockGot) {
  Mutex mutex;
  {
    if (!mutex.TryLock()) FAIL() << "nobody has it";
    const MutexLock lock(mutex, std::adopt_lock);
    EXPECT_FALSE(IsFree(mutex));
  }
  EXPECT_TRUE(IsFree(mutex));
}

TEST(MutexTest, UnlockGivesItUpForAWhile) {
  Mutex mutex;
  const MutexLock lock(mutex);
  {
    const MutexUnlock unlock(mutex);
    EXPECT_TRUE(IsFree(mutex));
  }
  EXPECT_FALSE(IsFree(mutex));
}

TEST(MutexTest, UnlockTakesItAgainWhenSomethingIsThrown) {
  Mutex mutex;
  const MutexLock lock(mutex);
  try {
    const MutexUnlock unlock(mutex);
    throw std::runtime_error("thrown");
  } catch (const std::runtime_error&) {
    EXPECT_FALSE(IsFree(mutex));
  }
}

TEST(CondVarTest, WakesWhoWaits) {
  Counter counter;
  std::thread other([&] {
    for (int i = 0; i < 10; ++i) counter.Add(1);
  });
  counter.Await(10);
  other.join();
  EXPECT_EQ(counter.count(), 10);
}

TEST(CondVarTest, WakesWhoWaitsForATime) {
  Counter counter;
  std::thread other([&] { counter.Add(1); });
  EXPECT_TRUE(counter.AwaitUntil(1, Clock::now() + kLong));
  other.join();
}

TEST(CondVarTest, NotifyOneWakesOne) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    const MutexLock lock(mutex);
    ready = true;
    changed.NotifyOne();
  });
  {
    const MutexLock lock(mutex);
    while (!ready) changed.Wait(mutex);
  }
  other.join();
}

TEST(CondVarTest, TellsWhenTheTimeHasCome) {
  Counter counter;
  EXPECT_FALSE(counter.AwaitUntil(1, Clock::now()));
  EXPECT_FALSE(
      counter.AwaitUntil(1, Clock::now() + std::chrono::milliseconds(1)));
}

TEST(CondVarTest, WaitHoldsTheMutexAfterwards) {
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  while (changed.WaitUntil(mutex, Clock::now())) {
  }
  EXPECT_FALSE(IsFree(mutex));
}

TEST(CondVarTest, WaitGivesTheMutexUpMeanwhile) {
  Counter counter;
  std::thread other([&] {
    // Can be had at all only because the one who waits has given it up.
    counter.Await(1);
    counter.Add(1);
  });
  counter.Add(1);
  counter.Await(2);
  other.join();
}

TEST(SharedMutexTest, LetsReadersInTogetherAndAWriterAlone) {
  SharedMutex mutex;
  Counter readers;
  const auto read = [&] {
    const ReaderMutexLock lock(mutex);
    readers.Add(1);
    readers.Await(2);  // both are in at once
  };
  std::thread other(read);
  read();
  other.join();

  int written = 0;
  const auto write = [&] {
    for (int i = 0; i < 10'000; ++i) {
      const WriterMutexLock lock(mutex);
      ++written;
    }
  };
  std::thread writer(write);
  write();
  writer.join();
  EXPECT_EQ(written, 20'000);
}

TEST(SharedCondVarTest, WakesWhoWaits) {
  SharedMutex mutex;
  SharedCondVar changed;
  bool ready = false;
  std::thread other([&] {
    {
      const WriterMutexLock lock(mutex);
      ready = true;
    }
    changed.NotifyAll();
  });
  {
    const auto end = Clock::now() + kLong;
    const WriterMutexLock lock(mutex);
    while (!ready && changed.WaitUntil(mutex, end)) {
    }
    EXPECT_TRUE(ready);
  }
  other.join();
}

TEST(SharedCondVarTest, TellsWhenTheTimeHasComeAndHoldsTheMutex) {
  SharedMutex mutex;
  SharedCondVar changed;
  int written = 0;
  const auto write = [&] {
    for (int i = 0; i < 1'000; ++i) {
      const WriterMutexLock lock(mutex);
      while (changed.WaitUntil(mutex, Clock::now())) {
      }
      ++written;
    }
  };
  std::thread other(write);
  write();
  other.join();
  EXPECT_EQ(written, 2'000);
}

}  // namespace
}  // namespace famfs
