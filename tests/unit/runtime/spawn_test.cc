#include "runtime/spawn.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

struct Ran {
  std::string output;
  int status = -1;  // of waitpid(2)
};

// A shell's command, with the write end of a pipe as descriptor 3.
Ran RunShell(const std::string& command, SpawnRequest request = {}) {
  std::array<int, 2> ends = {};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  request.argv = {"/bin/sh", "-c", command};
  request.descriptors = {write_end.get()};
  const auto pid = Spawn(request);
  EXPECT_TRUE(pid.ok()) << pid.status();
  write_end.reset();
  Ran ran;
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  while ((n = ::read(read_end.get(), buffer.data(), buffer.size())) > 0) {
    ran.output.append(buffer.data(), static_cast<std::size_t>(n));
  }
  EXPECT_EQ(::waitpid(pid.value_or(-1), &ran.status, 0), pid.value_or(-2));
  return ran;
}

TEST(Spawn, HasItsDescriptorsAndNoOther) {
  const UniqueFd other(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  const Ran ran = RunShell("ls /proc/self/fd >&3");
  // ls has one of its own open: the directory.
  EXPECT_EQ(ran.output, "0\n1\n2\n3\n4\n");
  EXPECT_EQ(DescribeStatus(ran.status), "ended with status 0");
}

TEST(Spawn, ReadsNothing) {
  EXPECT_EQ(RunShell("read line || echo end >&3").output, "end\n");
}

TEST(Spawn, InASessionOfItsOwn) {
  const Ran ran = RunShell("ps -o sid= -p $$ | tr -d ' ' >&3; echo $$ >&3");
  const std::size_t line = ran.output.find('\n') + 1;
  EXPECT_EQ(ran.output.substr(0, line), ran.output.substr(line));
}

TEST(Spawn, WithNoSignalBlocked) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &set, &before), 0);
  const Ran ran = RunShell("kill -TERM $$; echo alive >&3");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(ran.output, "");
  EXPECT_EQ(DescribeStatus(ran.status), "was killed by signal 15");
}

TEST(Spawn, InADirectoryWithAnOutputFile) {
  const std::string file =
      fmt::format("{}famfs-spawn-{}", ::testing::TempDir(), ::getpid());
  SpawnRequest request;
  request.output_file = file;
  request.working_directory = "/proc";
  EXPECT_EQ(RunShell("pwd; pwd >&2", request).output, "");
  const auto text = ReadFile(file);
  ::unlink(file.c_str());
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "/proc\n/proc\n");
}

TEST(Spawn, NoProgram) {
  const auto pid = Spawn({.argv = {"/no/such/program"}});
  EXPECT_TRUE(absl::IsNotFound(pid.status())) << pid.status();
  EXPECT_THAT(Message(pid.status()), HasSubstr("/no/such/program"));
}

TEST(ReadyLine, BothKinds) {
  const auto ready = ParseReadyLine("ready passthrough\n");
  ASSERT_TRUE(ready.has_value());
  EXPECT_TRUE(ready->ready);
  EXPECT_EQ(ready->text, "passthrough");
  const auto error = ParseReadyLine("error: no such device\n");
  ASSERT_TRUE(error.has_value());
  EXPECT_FALSE(error->ready);
  EXPECT_EQ(error->text, "no such device");
}

TEST(ReadyLine, AnotherLine) {
  for (const char* line : {"", "\n", "ready", "hello", "errors: x"}) {
    EXPECT_FALSE(ParseReadyLine(line).has_value()) << line;
  }
}

}  // namespace
}  // namespace famfs
