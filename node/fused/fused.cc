#include "node/fused/fused.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "base/descriptor_message.h"
#include "node/fused/spawner_client.h"

extern char** environ;

namespace famfs::node {
namespace {

// The server's descriptors, beside its standard ones.
constexpr int kReadyFd = 3;
constexpr int kFuseFd = 4;
constexpr int kFirstOther = 5;
constexpr char kDataPathXattr[] = "user.famfs.datapath";

UniqueFd PidfdOpen(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// posix_spawn's two attribute objects, freed whatever happens.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  // A session of its own, no signal blocked (we block SIGTERM), no descriptor
  // of ours but stdout, stderr and these two, which are kFirstOther or more.
  // SIGPIPE stays ignored: the reader and stderr may be gone before the server
  // is.
  absl::Status Fill(int ready, int fuse) {
    sigset_t none;
    ::sigemptyset(&none);
    int error = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) {
      error = ::posix_spawnattr_setflags(
          &attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    }
    if (error == 0) {
      error = ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO,
                                                 "/dev/null", O_RDONLY, 0);
    }
    if (error == 0) {
      error = ::posix_spawn_file_actions_adddup2(&actions_, ready, kReadyFd);
    }
    if (error == 0) {
      error = ::posix_spawn_file_actions_adddup2(&actions_, fuse, kFuseFd);
    }
    if (error == 0) {
      error =
          ::posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstOther);
    }
    return error == 0 ? absl::OkStatus() : ErrnoError(error, "posix_spawn");
  }

  posix_spawn_file_actions_t* actions() { return &actions_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

absl::StatusOr<std::optional<FusedProcess>> FindByPid(
    const std::string& lock_file) {
  FAMFS_ASSIGN_OR_RETURN(const std::string text, ReadFile(lock_file));
  FusedProcess process;
  std::from_chars(text.data(), text.data() + text.size(), process.pid);
  if (process.pid <= 0) {
    return Unavailable("{}: locked, but names no process yet", lock_file);
  }
  process.pidfd = PidfdOpen(process.pid);
  if (!process.pidfd.valid()) {
    return Unavailable(
        "{}: held, but there is no process {} here; a "
        "famfs-fused of another pid namespace serves this pool",
        lock_file, process.pid);
  }
  return process;
}

// The lock file's pid is of the holder's pid namespace and may be anybody's
// here: only the spawner knows whether the holder is a child of its own.
absl::StatusOr<std::optional<FusedProcess>> FindChild(
    const FusedOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(std::optional<FusedProcess> child, AskToFind(options));
  if (child.has_value()) return child;
  return Unavailable(
      "{}: held by a famfs-fused of another pod, which ends with its pod",
      options.lock_file);
}

}  // namespace

absl::StatusOr<std::optional<FusedProcess>> FindFused(
    const FusedOptions& options) {
  const std::string& lock_file = options.lock_file;
  const UniqueFd fd(::open(lock_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::nullopt;
    return ErrnoError(errno, lock_file);
  }
  // Shared, so that two plugins that look at once do not see each other.
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  if (errno != EWOULDBLOCK) return ErrnoError(errno, lock_file);
  return options.spawner.empty() ? FindByPid(lock_file) : FindChild(options);
}

absl::StatusOr<StartingFused> StartFused(const FusedOptions& options) {
  auto fuse = OpenFile("/dev/fuse", O_RDWR);
  if (!fuse.ok()) {
    return Annotate(fuse.status(),
                    "no FUSE here (load the module: modprobe fuse)");
  }
  return options.spawner.empty() ? SpawnFused(options, *fuse)
                                 : AskToStart(options, *std::move(fuse));
}

absl::StatusOr<StartingFused> SpawnFused(const FusedOptions& options,
                                         const UniqueFd& fuse) {
  std::array<int, 2> ends = {};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return ErrnoError(errno, "socketpair");
  }
  StartingFused starting;
  starting.ready = UniqueFd(ends[0]);
  const UniqueFd other_end(ends[1]);
  // Out of the way of the numbers that they get in the server.
  const UniqueFd ready_there(
      ::fcntl(other_end.get(), F_DUPFD_CLOEXEC, kFirstOther));
  const UniqueFd fuse_there(::fcntl(fuse.get(), F_DUPFD_CLOEXEC, kFirstOther));
  if (!ready_there.valid() || !fuse_there.valid()) {
    return ErrnoError(errno, "F_DUPFD_CLOEXEC");
  }
  // "--" ends the options: a device is never one, however it is spelled.
  std::vector<std::string> words = {options.program,
                                    "--data-path",
                                    "auto",
                                    "--ready-fd",
                                    std::to_string(kReadyFd),
                                    "--fuse-fd",
                                    std::to_string(kFuseFd),
                                    "--detached",
                                    "--lock-file",
                                    options.lock_file,
                                    "--device-list",
                                    options.device_list,
                                    "--memory-report",
                                    MemoryReportOf(options.mount_point),
                                    "--log-format",
                                    options.log_format,
                                    "--",
                                    options.device.ToString(),
                                    options.mount_point};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  SpawnSettings settings;
  FAMFS_RETURN_IF_ERROR(settings.Fill(ready_there.get(), fuse_there.get()));
  if (const int error = ::posix_spawn(
          &starting.process.pid, options.program.c_str(), settings.actions(),
          settings.attributes(), argv.data(), environ);
      error != 0) {
    return ErrnoError(error, fmt::format("starting {}", options.program));
  }
  starting.process.pidfd = PidfdOpen(starting.process.pid);
  if (!starting.process.pidfd.valid()) return ErrnoError(errno, "pidfd_open");
  return starting;
}

bool ReadReady(const UniqueFd& ready, ReadyAnswer& answer) {
  constexpr std::size_t kPart = 512;          // bytes
  constexpr std::size_t kLongestLine = 8192;  // bytes; an error's text
  if (answer.line.size() > kLongestLine) return false;
  auto message = ReceiveDescriptors(ready.get(), kPart);
  if (!message.ok()) return false;
  answer.line += message->text;
  if (message->descriptors.size() == 1) {
    answer.mount = std::move(message->descriptors.front());
  }
  return true;
}

absl::StatusOr<DataPath> ParseReadyLine(std::string_view line) {
  constexpr std::string_view kReady = "ready ";
  constexpr std::string_view kError = "error: ";
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (line.starts_with(kReady)) {
    return ParseDataPath(line.substr(kReady.size()));
  }
  if (line.starts_with(kError)) {
    return Unavailable("famfs-fused: {}", line.substr(kError.size()));
  }
  if (line.empty()) return Unavailable("famfs-fused ended before it served");
  return Unavailable("famfs-fused said neither ready nor error: \"{}\"", line);
}

absl::StatusOr<DataPath> AskDataPath(const std::string& mount_point,
                                     Questions& questions) {
  const auto ask = [mount_point]() -> absl::StatusOr<Questions::Answer> {
    std::array<char, 64> value = {};
    const ssize_t length = ::lgetxattr(mount_point.c_str(), kDataPathXattr,
                                       value.data(), value.size());
    if (length < 0) return ErrnoError(errno, mount_point);
    return Questions::Answer{
        .text = std::string(value.data(), static_cast<std::size_t>(length))};
  };
  FAMFS_ASSIGN_OR_RETURN(const auto answer,
                         questions.Ask(mount_point, kServerPatience, ask));
  return ParseDataPath(answer->text);
}

std::string DescribeStatus(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("was killed by signal {}", WTERMSIG(status));
  }
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

std::string DescribeEnd(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return "ended";
  return DescribeStatus(status);
}

}  // namespace famfs::node
