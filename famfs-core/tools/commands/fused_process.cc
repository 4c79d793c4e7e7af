#include "tools/commands/fused_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <vector>

#include "base/unique_fd.h"
#include "runtime/spawn.h"

namespace famfs {
namespace {

constexpr int kReadyFd = 3;  // in the server: Spawn's first
constexpr std::chrono::seconds kPatience{120};

absl::StatusOr<std::string> FusedProgram() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return ErrnoError(error.value(), "where this program lies: /proc/self/exe");
  }
  const std::string program = (self.parent_path() / "famfs-fused").string();
  if (::access(program.c_str(), X_OK) != 0) {
    return NotFound(
        "{}: is no program; famfs-fused, the server, must lie beside famfs",
        program);
  }
  return program;
}

// `ready_fd`: negative for none.
std::vector<std::string> CommandLine(const std::string& program,
                                     const FusedArguments& arguments,
                                     int ready_fd) {
  std::vector<std::string> words = {program, "--data-path",
                                    arguments.data_path};
  // One word each: a device is never an option, however it is spelled.
  for (const std::string& other : arguments.others) {
    words.push_back("--device=" + other);
  }
  if (arguments.salvage) words.emplace_back("--salvage");
  if (arguments.allow_existing_mount) {
    words.emplace_back("--allow-existing-mount");
  }
  if (ready_fd >= 0) {
    words.insert(words.end(), {"--ready-fd", std::to_string(ready_fd)});
  }
  words.insert(words.end(), {"--", arguments.device, arguments.mount_point});
  return words;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Up to the end of line or file; DeadlineExceeded after kPatience.
absl::StatusOr<std::string> ReadLine(int fd) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::string line;
  while (line.find('\n') == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    const int n = left.count() <= 0
                      ? 0
                      : ::poll(&wait, 1, static_cast<int>(left.count()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return absl::DeadlineExceededError(fmt::format(
          "the server did not serve within {} s", kPatience.count()));
    }
    std::array<char, 1024> buffer;
    const ssize_t bytes = ::read(fd, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    line.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  return line.substr(0, line.find('\n'));
}

std::string DescribeEnd(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return "ended";
  return DescribeStatus(status);
}

}  // namespace

absl::StatusOr<std::string> StartFused(const FusedArguments& arguments) {
  FAMFS_ASSIGN_OR_RETURN(const std::string program, FusedProgram());
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd ready(ends[0]);
  UniqueFd tell(ends[1]);

  FAMFS_ASSIGN_OR_RETURN(
      const pid_t pid,
      Spawn({.argv = CommandLine(program, arguments, kReadyFd),
             .descriptors = {tell.get()},
             .output_file =
                 arguments.log_file.empty() ? "/dev/null" : arguments.log_file,
             .working_directory = "/"}));
  tell.reset();
  auto line = ReadLine(ready.get());
  if (!line.ok()) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return line.status();
  }
  auto answer = ParseReadyLine(*line);
  if (answer.has_value() && answer->ready) return std::move(answer->text);
  const std::string end = DescribeEnd(pid);
  if (answer.has_value()) return FailedPrecondition("{}", answer->text);
  return FailedPrecondition(
      "the server {} before it served; famfs mount --foreground shows why",
      end);
}

absl::Status BecomeFused(const FusedArguments& arguments) {
  FAMFS_ASSIGN_OR_RETURN(const std::string program, FusedProgram());
  std::vector<std::string> words = CommandLine(program, arguments, -1);
  const std::vector<char*> argv = Pointers(words);
  ::execv(program.c_str(), argv.data());
  return ErrnoError(errno, program);
}

}  // namespace famfs
