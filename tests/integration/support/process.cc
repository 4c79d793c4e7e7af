#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/integration/support/rig.h"
#include "tests/integration/support/wait.h"

namespace famfs::rig {
namespace {

constexpr int kStartFailed = 127;

int PidfdOpen(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

void Complain(const char* what) {
  // Only what is safe after a fork in a program with threads.
  const char* text = std::strerror(errno);
  for (const char* part : {what, ": ", text, "\n"}) {
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  ::_exit(kStartFailed);
}

[[noreturn]] void RunChild(const Process::Options& options, int output,
                           char** argv, char** environment) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (options.mount_namespace >= 0 &&
      ::setns(options.mount_namespace, CLONE_NEWNS) != 0) {
    Complain("setns");
  }
  if (!options.working_directory.empty() &&
      ::chdir(options.working_directory.c_str()) != 0) {
    Complain("chdir");
  }
  const rlimit descriptors = {options.descriptors, options.descriptors};
  if (options.descriptors != 0 &&
      ::setrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
    Complain("setrlimit");
  }
  if (options.uid != 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(options.uid) != 0 ||
       ::setuid(options.uid) != 0)) {
    Complain("setuid");
  }
  ::execve(argv[0], argv, environment);
  Complain(argv[0]);
  ::_exit(kStartFailed);
}

int ShellStatus(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Start(Options options) {
  auto dir = std::make_unique<TempDir>("famfs-output");
  FAMFS_ASSIGN_OR_RETURN(
      const UniqueFd output,
      OpenFile(*dir / "output", O_CREAT | O_WRONLY | O_APPEND));
  std::vector<std::string> environment = options.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    environment.emplace_back(*entry);
  }
  const std::vector<char*> argv = Pointers(options.argv);
  const std::vector<char*> envp = Pointers(environment);
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoError(errno, "fork");
  if (pid == 0) {
    RunChild(options, output.get(), const_cast<char**>(argv.data()),
             const_cast<char**>(envp.data()));
  }
  UniqueFd pidfd(PidfdOpen(pid));
  return std::unique_ptr<Process>(
      new Process(pid, std::move(pidfd), std::move(dir)));
}

Process::Process(pid_t pid, UniqueFd pidfd, std::unique_ptr<TempDir> dir)
    : pid_(pid), pidfd_(std::move(pidfd)), dir_(std::move(dir)) {}

Process::~Process() { Kill(); }

void Process::Signal(int number) const {
  if (!reaped_) ::kill(pid_, number);
}

bool Process::Running() {
  if (reaped_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  reaped_ = true;
  status_ = ShellStatus(status);
  return false;
}

absl::StatusOr<int> Process::Wait(Duration patience) {
  const Deadline deadline(patience);
  while (Running()) {
    if (deadline.Passed()) {
      return absl::DeadlineExceededError(
          fmt::format("process {} still runs; output:\n{}", pid_, output()));
    }
    PollFd(pidfd_.get(), POLLIN, deadline, patience);
  }
  return status_;
}

absl::StatusOr<int> Process::Stop(Duration patience) {
  Signal(SIGTERM);
  return Wait(patience);
}

void Process::Kill() {
  Signal(SIGKILL);
  IgnoreError(Wait().status(), "a killed process ends");
}

std::string Process::output() const { return ReadWholeFile(*dir_ / "output"); }

absl::Status Process::WaitForOutput(std::string_view text, Duration patience) {
  const Deadline deadline(patience);
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(watch.get(), (*dir_ / "output").c_str(), IN_MODIFY);
  while (true) {
    const bool running = Running();
    const std::string so_far = output();
    if (so_far.find(text) != std::string::npos) return absl::OkStatus();
    if (!running || deadline.Passed()) {
      return NotFound("no \"{}\" in the output of process {}:\n{}", text, pid_,
                      so_far);
    }
    if (PollFd(watch.get(), POLLIN, deadline, Duration{100})) {
      std::array<char, 4096> events;
      while (::read(watch.get(), events.data(), events.size()) > 0) {
      }
    }
  }
}

void SubreapOrphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

bool WaitForExit(pid_t pid, Duration patience) {
  const Deadline deadline(patience);
  const UniqueFd pidfd(PidfdOpen(pid));
  if (pidfd.valid() && !PollFd(pidfd.get(), POLLIN, deadline, patience)) {
    return false;
  }
  ::waitpid(pid, nullptr, WNOHANG);  // ours or not, it has ended
  return true;
}

}  // namespace famfs::rig
