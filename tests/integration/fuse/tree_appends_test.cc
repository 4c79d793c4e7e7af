// Appends to one file from several hosts, through real mounts.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/fuse/tree_fixture.h"

namespace famfs::itest {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kRecord = 100;  // bytes

std::string Record(int writer, int number) {
  std::string record = fmt::format("writer {} record {:06} ", writer, number);
  record.resize(kRecord - 1, static_cast<char>('a' + writer));
  return record + "\n";
}

/// A process that appends so many records; it fails with the errno.
pid_t StartWriter(const std::string& file, int writer, int records,
                  int flags = O_APPEND) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644);
  if (fd < 0) ::_exit(errno);
  for (int i = 0; i < records; ++i) {
    const std::string record = Record(writer, i);
    if (::write(fd, record.data(), kRecord) != static_cast<ssize_t>(kRecord)) {
      ::_exit(errno);
    }
  }
  ::_exit(::close(fd) == 0 ? 0 : errno);
}

int ExitOf(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Each writer's records stand there once, whole, in its order, and nothing
/// else.
void ExpectRecords(const std::string& file, int writers, int records) {
  const std::string text = rig::ReadWholeFile(file);
  ASSERT_EQ(text.size(), kRecord * static_cast<std::size_t>(writers * records));
  std::vector<int> next(static_cast<std::size_t>(writers), 0);
  for (std::size_t at = 0; at < text.size(); at += kRecord) {
    const std::string record = text.substr(at, kRecord);
    bool is_next = false;
    for (int writer = 0; writer < writers && !is_next; ++writer) {
      int& number = next[static_cast<std::size_t>(writer)];
      is_next = record == Record(writer, number);
      if (is_next) ++number;
    }
    ASSERT_TRUE(is_next) << "at " << at << ": " << record;
  }
}

class TreeAppendsTest : public TreeFuseTest {
 protected:
  void SetUp() override {
    TreeFuseTest::SetUp();
    if (IsSkipped()) return;
    other_ = MountAs(other_host_);
    ASSERT_NE(other_, nullptr);
    here_ = root_ + "log";
    there_ = other_->path() + "/v/log";
    ASSERT_EQ(Write(here_, ""), 0);
  }
  [[nodiscard]] const std::string& FileOf(int writer) const {
    return writer % 2 == 0 ? here_ : there_;
  }
  void TellSpeed(const std::string& what, std::uint64_t appends,
                 steady_clock::time_point since) {
    const std::chrono::duration<double> took = steady_clock::now() - since;
    RecordProperty(what, std::to_string(static_cast<std::uint64_t>(
                             static_cast<double>(appends) / took.count())));
    std::cout << what << ": "
              << took.count() * 1e6 / static_cast<double>(appends)
              << " us each\n";
  }

  const Uuid other_host_ = Uuid::Random();
  std::unique_ptr<Mount> other_;
  std::string here_;
  std::string there_;
};

INSTANTIATE_TEST_SUITE_P(Paths, TreeAppendsTest,
                         ::testing::Values("passthrough", "copied", "copy"),
                         NameOfPath);

TEST_P(TreeAppendsTest, OfSeveralHostsAreAllThere) {
  constexpr int kWriters = 4;
  constexpr int kRecords = 2000;
  const auto begin = steady_clock::now();
  std::vector<pid_t> pids;
  for (int i = 0; i < kWriters; ++i) {
    pids.push_back(StartWriter(FileOf(i), i, kRecords));
  }
  for (const pid_t pid : pids) EXPECT_EQ(ExitOf(pid), 0);
  TellSpeed("appends_of_two_hosts", kWriters * kRecords, begin);
  ExpectRecords(here_, kWriters, kRecords);
  ExpectRecords(there_, kWriters, kRecords);
}

TEST_P(TreeAppendsTest, AreAllThereThoughTheOwnerIsReplaced) {
  constexpr int kWriters = 4;
  constexpr int kRecords = 1000;
  std::vector<pid_t> pids;
  for (int i = 0; i < kWriters; ++i) {
    pids.push_back(StartWriter(FileOf(i), i, kRecords));
  }
  int replaced = 0;
  std::vector<pid_t> left = pids;
  while (!left.empty()) {
    ASSERT_NO_FATAL_FAILURE(ReplaceOwner());
    ++replaced;
    const std::uint64_t before = answered();
    std::vector<pid_t> still;
    rig::Eventually([&] {
      still.clear();
      for (const pid_t pid : left) {
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid), &info,
                 WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid == 0) still.push_back(pid);
      }
      return still.empty() || answered() > before + 300;
    });
    left = still;
  }
  for (const pid_t pid : pids) EXPECT_EQ(ExitOf(pid), 0);
  EXPECT_GT(replaced, 2);
  ExpectRecords(here_, kWriters, kRecords);
  ExpectRecords(there_, kWriters, kRecords);
}

TEST_P(TreeAppendsTest, OfOneHostAskOnce) {
  constexpr int kRecords = 5000;
  const std::uint64_t before = answered();
  const auto begin = steady_clock::now();
  EXPECT_EQ(ExitOf(StartWriter(here_, 0, kRecords)), 0);
  TellSpeed("appends_of_one_host", kRecords, begin);
  EXPECT_LT(answered(), before + 20);
  const auto begin_plain = steady_clock::now();
  EXPECT_EQ(ExitOf(StartWriter(root_ + "plain", 0, kRecords, O_CREAT)), 0);
  TellSpeed("writes_of_one_host", kRecords, begin_plain);
  ExpectRecords(here_, 1, kRecords);
  ExpectRecords(there_, 1, kRecords);
}

TEST_P(TreeAppendsTest, InTurnFollowEachOther) {
  const UniqueFd a = OpenOrFail(here_, O_WRONLY | O_APPEND);
  const UniqueFd b = OpenOrFail(there_, O_WRONLY | O_APPEND);
  std::string expected;
  for (int i = 0; i < 30; ++i) {
    // Each keeps the file for some time, with what nobody was told of.
    for (int k = 0; k < i % 4; ++k) {
      ASSERT_EQ(::write(a.get(), "first", 5), 5);
      expected += "first";
    }
    ASSERT_EQ(::write(b.get(), "second", 6), 6);
    expected += "second";
  }
  ASSERT_EQ(::fsync(a.get()), 0);
  ASSERT_EQ(::fsync(b.get()), 0);
  EXPECT_EQ(rig::ReadWholeFile(here_), expected);
  EXPECT_EQ(rig::ReadWholeFile(there_), expected);
}

/// What was written and not told, by another handle of the same host.
TEST_P(TreeAppendsTest, ComeBehindWhatTheHostHasWritten) {
  const UniqueFd writer = OpenOrFail(here_, O_WRONLY);
  ASSERT_EQ(::write(writer.get(), "before", 6), 6);
  const UniqueFd a = OpenOrFail(here_, O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(a.get(), "after", 5), 5);
  EXPECT_EQ(rig::ReadWholeFile(here_), "beforeafter");
}

TEST_P(TreeAppendsTest, ComeBehindWhatAnotherHostHasClosed) {
  const UniqueFd a = OpenOrFail(here_, O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(a.get(), "a", 1), 1);
  ASSERT_EQ(::fsync(a.get()), 0);
  ASSERT_EQ(::truncate(there_.c_str(), 100), 0);
  ASSERT_EQ(::write(a.get(), "b", 1), 1);
  ASSERT_EQ(::fsync(a.get()), 0);
  EXPECT_EQ(rig::ReadWholeFile(there_), "a" + std::string(99, '\0') + "b");
}

// What the host knew of the size is of before the cut.
TEST_P(TreeAppendsTest, ComeBehindACutOfAnotherHost) {
  const UniqueFd fd(::open(here_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const std::string text(5000, 't');
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(::truncate(there_.c_str(), 5), 0);
    ASSERT_EQ(::write(fd.get(), "end", 3), 3);
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(rig::ReadWholeFile(there_), "tttttend") << "round " << i;
    ASSERT_EQ(::truncate(there_.c_str(), 0), 0);
  }
}

// What is written to a file that another host has cut before is there.
TEST_P(TreeAppendsTest, AWriteAfterACutOfAnotherHostCounts) {
  const UniqueFd fd(::open(here_.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text(5000, 't');
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(::pwrite(fd.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(::truncate(there_.c_str(), 5), 0);
    ASSERT_EQ(::pwrite(fd.get(), "12345678", 8, 0), 8);
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(rig::ReadWholeFile(there_), "12345678") << "round " << i;
  }
}

TEST_P(TreeAppendsTest, GoOnWhenAHostIsGone) {
  const UniqueFd b = OpenOrFail(there_, O_WRONLY | O_APPEND);
  ASSERT_EQ(::write(b.get(), "gone", 4), 4);
  ASSERT_EQ(::fsync(b.get()), 0);
  other_->server().Signal(SIGKILL);
  ASSERT_TRUE(rig::Eventually([this] { return !other_->server().Running(); }));
  const pid_t pid = StartWriter(here_, 0, 1);
  EXPECT_TRUE(writer().EvictHost(other_host_).ok());
  EXPECT_EQ(ExitOf(pid), 0);
  EXPECT_EQ(rig::ReadWholeFile(here_), "gone" + Record(0, 0));
}

TEST_P(TreeAppendsTest, AreWholeAboveTheKernelsLargestWrite) {
  const std::string large(5 * kMiB + 7, 'x');
  for (const std::string& file : {here_, there_, here_}) {
    const UniqueFd fd = OpenOrFail(file, O_WRONLY | O_APPEND);
    ASSERT_EQ(::write(fd.get(), large.data(), large.size()),
              static_cast<ssize_t>(large.size()));
  }
  EXPECT_TRUE(rig::ReadWholeFile(there_) == large + large + large);
}

TEST_P(TreeAppendsTest, ARemovedFileIsAppendedTo) {
  const UniqueFd a = OpenOrFail(here_, O_RDWR | O_APPEND);
  ASSERT_EQ(::write(a.get(), "one", 3), 3);
  ASSERT_EQ(::unlink(here_.c_str()), 0);
  ASSERT_EQ(::write(a.get(), "two", 3), 3);
  std::string text(6, '\0');
  ASSERT_EQ(::pread(a.get(), text.data(), 6, 0), 6);
  EXPECT_EQ(text, "onetwo");
}

}  // namespace
}  // namespace famfs::itest
