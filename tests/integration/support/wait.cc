#include "tests/integration/support/wait.h"

#include <signal.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace famfs::rig {
namespace {

constexpr Duration kInterval{10};

bool Accepts(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return false;
  path.copy(address.sun_path, path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)) == 0;
}

/// Whether each thread of the process is in the state "stopped" (proc(5)).
bool AllThreadsStopped(pid_t pid) {
  std::error_code error;
  const std::filesystem::directory_iterator tasks(
      "/proc/" + std::to_string(pid) + "/task", error);
  if (error) return false;
  return std::all_of(begin(tasks), end(tasks),
                     [](const std::filesystem::path& task) {
                       const std::string stat = ReadWholeFile(task / "stat");
                       return stat.find(") T ") != std::string::npos;
                     });
}

}  // namespace

Duration Deadline::Left() const {
  const auto left = std::chrono::duration_cast<Duration>(
      end_ - std::chrono::steady_clock::now());
  return std::max(left, Duration{0});
}

bool PollFd(int fd, short events, const Deadline& deadline, Duration limit) {
  const Duration wait = std::min(deadline.Left(), limit);
  pollfd item = {.fd = fd, .events = events, .revents = 0};
  timespec time = {.tv_sec = wait.count() / 1000,
                   .tv_nsec = wait.count() % 1000 * 1'000'000};
  return ::ppoll(&item, 1, &time, nullptr) > 0;
}

bool Eventually(const std::function<bool()>& done, Duration patience) {
  const Deadline deadline(patience);
  while (!done()) {
    if (deadline.Passed()) return false;
    PollFd(-1, 0, deadline, kInterval);
  }
  return true;
}

bool StandStill(pid_t pid, Duration patience) {
  return ::kill(pid, SIGSTOP) == 0 &&
         Eventually([pid] { return AllThreadsStopped(pid); }, patience);
}

absl::Status WaitForSocket(const std::string& path, Process* process,
                           Duration patience) {
  const Deadline deadline(patience);
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const std::string directory = path.substr(0, path.rfind('/'));
  ::inotify_add_watch(watch.get(), directory.c_str(), IN_CREATE | IN_MOVED_TO);
  while (!Accepts(path)) {
    if (process != nullptr && !process->Running()) {
      return FailedPrecondition("the process of {} has ended; its output:\n{}",
                                path, process->output());
    }
    if (deadline.Passed()) {
      return Unavailable("nobody listens on {}{}", path,
                         process == nullptr
                             ? std::string()
                             : "; output:\n" + process->output());
    }
    // The name may appear before somebody listens: look again soon.
    if (PollFd(watch.get(), POLLIN, deadline, Duration{100})) {
      std::array<char, 4096> events;
      while (::read(watch.get(), events.data(), events.size()) > 0) {
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace famfs::rig
