#include "runtime/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace famfs {
namespace {

constexpr int kFirst = 3;  // of the descriptors that it gets

// posix_spawn's two attribute objects, freed whatever happens. Errors are
// errnos; the first one is kept.
class Settings {
 public:
  Settings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~Settings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  void Detach() {
    sigset_t none;
    ::sigemptyset(&none);
    Keep(::posix_spawnattr_setsigmask(&attributes_, &none));
    Keep(::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK));
    Open(STDIN_FILENO, "/dev/null", O_RDONLY);
  }
  void Open(int fd, const char* path, int flags) {
    Keep(::posix_spawn_file_actions_addopen(&actions_, fd, path, flags, 0644));
  }
  void Duplicate(int from, int to) {
    Keep(::posix_spawn_file_actions_adddup2(&actions_, from, to));
  }
  void CloseFrom(int fd) {
    Keep(::posix_spawn_file_actions_addclosefrom_np(&actions_, fd));
  }
  void ChangeDirectory(const std::string& path) {
    Keep(::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str()));
  }
  int Spawn(char* const* argv, pid_t& pid) {
    if (error_ != 0) return error_;
    return ::posix_spawn(&pid, argv[0], &actions_, &attributes_, argv, environ);
  }

 private:
  void Keep(int error) {
    if (error_ == 0) error_ = error;
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  int error_ = 0;
};

/// Duplicates out of the way of the numbers that they get in the program.
absl::StatusOr<std::vector<UniqueFd>> OutOfTheWay(
    const std::vector<int>& descriptors) {
  const int above = kFirst + static_cast<int>(descriptors.size());
  std::vector<UniqueFd> copies;
  for (const int fd : descriptors) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, above));
    if (!copies.back().valid()) return ErrnoError(errno, "F_DUPFD_CLOEXEC");
  }
  return copies;
}

}  // namespace

absl::StatusOr<pid_t> Spawn(const SpawnRequest& request) {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<UniqueFd> copies,
                         OutOfTheWay(request.descriptors));
  Settings settings;
  settings.Detach();
  if (!request.output_file.empty()) {
    settings.Open(STDOUT_FILENO, request.output_file.c_str(),
                  O_WRONLY | O_CREAT | O_APPEND);
    settings.Duplicate(STDOUT_FILENO, STDERR_FILENO);
  }
  int next = kFirst;
  for (const UniqueFd& fd : copies) settings.Duplicate(fd.get(), next++);
  settings.CloseFrom(next);
  if (!request.working_directory.empty()) {
    settings.ChangeDirectory(request.working_directory);
  }
  std::vector<std::string> words = request.argv;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (const int error = settings.Spawn(argv.data(), pid); error != 0) {
    return ErrnoError(error, fmt::format("starting {}", request.argv.front()));
  }
  return pid;
}

std::string DescribeStatus(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("was killed by signal {}", WTERMSIG(status));
  }
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

std::optional<ReadyLine> ParseReadyLine(std::string_view line) {
  constexpr std::string_view kReady = "ready ";
  constexpr std::string_view kError = "error: ";
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  for (const std::string_view start : {kReady, kError}) {
    if (!line.starts_with(start)) continue;
    return ReadyLine{.ready = start == kReady,
                     .text = std::string(line.substr(start.size()))};
  }
  return std::nullopt;
}

}  // namespace famfs
