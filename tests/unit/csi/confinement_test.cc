// What a confined process cannot do any more; it is given up for good, so each
// test does it in a process of its own.
#include "csi/process/confinement.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>

namespace famfs::csi {
namespace {

using ::testing::ExitedWithCode;

class ConfinementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "not root: nothing is given up";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
  static void ConfineOrExit(const Rights& rights) {
    const absl::Status confined = Confine(rights);
    if (confined.ok()) return;
    std::fprintf(stderr, "%s\n", std::string(Message(confined)).c_str());
    ::_exit(1);
  }
  static void ExpectRefused(const char* name, long result) {
    if (result == -1 && errno == EPERM) return;
    std::fprintf(stderr, "%s: %ld, errno %d\n", name, result, errno);
    ::_exit(1);
  }
};

// Of each that this process could make, wrong arguments: without a filter, they
// are what is told, or nothing.
TEST_F(ConfinementTest, RefusesWhatNoneOfUsNeeds) {
  EXPECT_EXIT(
      {
        ConfineOrExit({.mounts_and_starts = true});
        ExpectRefused("unshare", ::unshare(0));
        ExpectRefused("setns", ::syscall(SYS_setns, -1, 0));
        ExpectRefused("io_uring_setup", ::syscall(SYS_io_uring_setup, 0, 0));
        ExpectRefused("io_uring_enter",
                      ::syscall(SYS_io_uring_enter, -1, 0, 0, 0, 0, 0));
        ExpectRefused("io_uring_register",
                      ::syscall(SYS_io_uring_register, -1, 0, 0, 0));
        ExpectRefused("userfaultfd", ::syscall(SYS_userfaultfd, -1));
        ExpectRefused("bpf", ::syscall(SYS_bpf, -1, 0, 0));
        ExpectRefused("perf_event_open",
                      ::syscall(SYS_perf_event_open, 0, 0, 0, 0, 0));
        ExpectRefused("keyctl", ::syscall(SYS_keyctl, -1, 0, 0, 0, 0));
        ExpectRefused("ptrace", ::syscall(SYS_ptrace, -1, 0, 0, 0));
        ExpectRefused("open_by_handle_at",
                      ::syscall(SYS_open_by_handle_at, -1, 0, 0));
        ::_exit(0);
      },
      ExitedWithCode(0), "");
}

TEST_F(ConfinementTest, MountsAndStartsOnlyWhoSaysSo) {
  EXPECT_EXIT(
      {
        ConfineOrExit({});
        ExpectRefused("mount", ::mount("none", "/nowhere", "tmpfs", 0, ""));
        ExpectRefused("execve", ::syscall(SYS_execve, "/nothing", 0, 0));
        ::_exit(0);
      },
      ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        ConfineOrExit(
            {.capabilities = 1ULL << CAP_SYS_ADMIN, .mounts_and_starts = true});
        const long result = ::syscall(SYS_execve, "/nothing", 0, 0);
        ::_exit(result == -1 && errno == ENOENT ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(ConfinementTest, AProgramStillWorks) {
  EXPECT_EXIT(
      {
        ConfineOrExit({});
        bool ran = false;
        std::thread([&ran] { ran = true; }).join();
        ::_exit(ran && ::access("/", R_OK) == 0 ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

}  // namespace
}  // namespace famfs::csi
