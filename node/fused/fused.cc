#include "node/fused/fused.h"

#include <fcntl.h>
#include <signal.h>
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
#include "base/file_lock.h"
#include "node/fused/spawner_client.h"
#include "runtime/spawn.h"

namespace famfs::node {
namespace {

// The server's descriptors, beside its standard ones, in the order of Spawn.
constexpr int kReadyFd = 3;
constexpr int kFuseFd = 4;
constexpr char kDataPathXattr[] = "user.famfs.datapath";

UniqueFd PidfdOpen(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

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
    const FusedLaunch& options) {
  FAMFS_ASSIGN_OR_RETURN(std::optional<FusedProcess> child, AskToFind(options));
  if (child.has_value()) return child;
  return Unavailable(
      "{}: held by a famfs-fused of another pod, which ends with its pod",
      options.lock_file);
}

}  // namespace

absl::StatusOr<std::optional<FusedProcess>> FindFused(
    const FusedLaunch& options) {
  const std::string& lock_file = options.lock_file;
  const UniqueFd fd(::open(lock_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::nullopt;
    return ErrnoError(errno, lock_file);
  }
  // Shared, so that two plugins that look at once do not see each other.
  const auto locked = TryLockFile(fd.get(), FileLock::kShared);
  if (!locked.ok()) return Annotate(locked.status(), lock_file);
  if (*locked) return std::nullopt;
  return options.spawner.empty() ? FindByPid(lock_file) : FindChild(options);
}

absl::StatusOr<StartingFused> StartFused(const FusedLaunch& options) {
  auto fuse = OpenFile("/dev/fuse", O_RDWR);
  if (!fuse.ok()) {
    return Annotate(fuse.status(),
                    "no FUSE here (load the module: modprobe fuse)");
  }
  return options.spawner.empty() ? SpawnFused(options, *fuse)
                                 : AskToStart(options, *std::move(fuse));
}

absl::StatusOr<StartingFused> SpawnFused(const FusedLaunch& options,
                                         const UniqueFd& fuse) {
  std::array<int, 2> ends = {};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return ErrnoError(errno, "socketpair");
  }
  StartingFused starting;
  starting.ready = UniqueFd(ends[0]);
  const UniqueFd other_end(ends[1]);
  // "--" ends the options: a device is never one, however it is spelled.
  SpawnRequest request;
  request.argv = {options.program,
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
  request.descriptors = {other_end.get(), fuse.get()};
  FAMFS_ASSIGN_OR_RETURN(starting.process.pid, Spawn(request));
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

absl::StatusOr<DataPath> ParseServedPath(std::string_view line) {
  if (line.empty()) return Unavailable("famfs-fused ended before it served");
  const auto answer = ParseReadyLine(line);
  if (!answer.has_value()) {
    return Unavailable("famfs-fused said neither ready nor error: \"{}\"",
                       line);
  }
  if (!answer->ready) return Unavailable("famfs-fused: {}", answer->text);
  return ParseDataPath(answer->text);
}

absl::StatusOr<DataPath> AskDataPath(const std::string& mount_point,
                                     Questions& questions) {
  const auto ask = [mount_point]() -> absl::StatusOr<Questions::Answer> {
    std::array<char, 64> value = {};
    const ssize_t length = ::lgetxattr(mount_point.c_str(), kDataPathXattr,
                                       value.data(), value.size());
    if (length < 0 && errno == ESTALE) {
      return FailedPrecondition("{}: its server answers ESTALE", mount_point);
    }
    if (length < 0) return ErrnoError(errno, mount_point);
    return Questions::Answer{
        .text = std::string(value.data(), static_cast<std::size_t>(length))};
  };
  FAMFS_ASSIGN_OR_RETURN(const auto answer,
                         questions.Ask(mount_point, kServerPatience, ask));
  return ParseDataPath(answer->text);
}

std::string DescribeEnd(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return "ended";
  return DescribeStatus(status);
}

}  // namespace famfs::node
