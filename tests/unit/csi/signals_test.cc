#include "csi/process/signals.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>

#include <csignal>

namespace famfs::csi {
namespace {

TEST(ShutdownSignal, IsWaitedForInsteadOfEndingTheProcess) {
  for (const int number : {SIGTERM, SIGINT}) {
    ShutdownSignal signals;
    pollfd descriptor = {signals.fd(), POLLIN, 0};
    EXPECT_EQ(poll(&descriptor, 1, 0), 0);
    pthread_kill(pthread_self(), number);
    EXPECT_EQ(poll(&descriptor, 1, 0), 1);
    EXPECT_EQ(signals.Wait(), number);
  }
}

TEST(ShutdownSignal, TheMaskIsRestored) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  { const ShutdownSignal signals; }
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
  EXPECT_EQ(sigismember(&after, SIGTERM), 0);
}

TEST(ShutdownSignalDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        ShutdownSignal signals;
        pthread_kill(pthread_self(), SIGTERM);
        signals.Wait();
        pthread_kill(pthread_self(), SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace famfs::csi
