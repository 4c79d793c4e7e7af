#include "runtime/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include <thread>

#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using testing::HasError;

constexpr int kUser[] = {SIGUSR1, SIGUSR2};

bool IsReadable(int fd) {
  pollfd item = {.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, 0) == 1;
}

bool IsBlocked(int number) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return ::sigismember(&mask, number) == 1;
}

class SignalsTest : public ::testing::Test {
 protected:
  SignalsTest() { ::pthread_sigmask(SIG_SETMASK, nullptr, &before_); }
  ~SignalsTest() override { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

TEST_F(SignalsTest, ComeToTheDescriptorInsteadOfTheProcess) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd, TakeSignals(kUser));
  EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE(IsReadable(fd.get()));
  for (const int number : kUser) {
    ::pthread_kill(::pthread_self(), number);
    EXPECT_TRUE(IsReadable(fd.get()));
    EXPECT_EQ(NextSignal(fd.get()), number);
    EXPECT_FALSE(IsReadable(fd.get()));
  }
}

TEST_F(SignalsTest, AreBlockedInLaterThreadsAndNoOthersAre) {
  FAMFS_ASSERT_OK_AND_ASSIGN(const UniqueFd fd, TakeSignals(kUser));
  std::thread([] {
    EXPECT_TRUE(IsBlocked(SIGUSR1));
    EXPECT_TRUE(IsBlocked(SIGUSR2));
    EXPECT_FALSE(IsBlocked(SIGTERM));
  }).join();
}

// Who cannot watch them must still not be ended by one that comes early.
TEST_F(SignalsTest, AreBlockedEvenWithoutADescriptor) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto fd = TakeSignals(kUser);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(fd, HasError(absl::StatusCode::kUnavailable, "signalfd"));
  EXPECT_TRUE(IsBlocked(SIGUSR1));
}

TEST_F(SignalsTest, ThereIsNoneWhereNothingCanBeRead) {
  EXPECT_EQ(NextSignal(-1), 0);
}

}  // namespace
}  // namespace famfs
