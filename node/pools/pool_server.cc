#include "node/pools/pool_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/thread.h"
#include "runtime/mount_table.h"

namespace famfs::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstPause{1'000};
constexpr milliseconds kLongestPause{30'000};
// A server that holds the lock attaches its mount when the log is replayed. One
// that takes longer is replaced by ours, which has all the time it wants.
constexpr seconds kMountPatience{10};
constexpr seconds kEndPatience{10};

bool Readable(int fd) {
  pollfd item = {.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, 0) > 0;
}

void SignalProcess(const FusedProcess& process, int number) {
  ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), number, nullptr, 0);
}

}  // namespace

PoolServer::PoolServer(FusedLaunch options, Serving serving, bool came_back)
    : options_(std::move(options)),
      serving_(std::move(serving)),
      came_back_(came_back),
      questions_(std::make_shared<Questions>(
          "famfs-fused", "see its log, and restart it if it hangs")),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  served_.mount_point = options_.mount_point;
  served_.questions = questions_;
}

absl::StatusOr<std::unique_ptr<PoolServer>> PoolServer::Start(
    FusedLaunch options, Serving serving, bool came_back) {
  std::unique_ptr<PoolServer> server(
      new PoolServer(std::move(options), std::move(serving), came_back));
  if (!server->stop_.valid()) return ErrnoError(errno, "eventfd");
  auto thread = StartThread([self = server.get()] { self->Run(); });
  if (!thread.ok()) {
    return Annotate(
        thread.status(),
        fmt::format("the server of {}", server->options_.device.ToString()));
  }
  server->thread_ = *std::move(thread);
  return server;
}

PoolServer::~PoolServer() { Stop(); }

void PoolServer::Stop() {
  Interrupt();
  if (thread_.joinable()) thread_.join();
}

void PoolServer::Interrupt() {
  ::eventfd_write(stop_.get(), 1);
  questions_->Stop();
  const MutexLock lock(mutex_);
  changed_.NotifyAll();
}

bool PoolServer::HasEnded() {
  const MutexLock lock(mutex_);
  if (process_.pid < 0) return true;
  if (!Readable(process_.pidfd.get())) return false;
  spdlog::info(
      "famfs-fused (process {}), which served another instance of {}, "
      "{}",
      process_.pid, options_.device.ToString(), DescribeEnd(process_.pid));
  return true;
}

bool PoolServer::Stopping() const { return Readable(stop_.get()); }

bool PoolServer::WaitForEvent(int fd, short events, int timeout_ms) const {
  std::array<pollfd, 2> items = {
      {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
       {.fd = fd, .events = events, .revents = 0}}};
  ::poll(items.data(), items.size(), timeout_ms);
  return items[0].revents != 0;
}

absl::StatusOr<ServedPool> PoolServer::Wait(milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const MutexLock lock(mutex_);
  // Dead already, though its watcher has not woken up yet?
  if (state_ == State::kServing && Readable(process_.pidfd.get())) {
    state_ = State::kStarting;
  }
  if (state_ == State::kServing) return served_;
  if (state_ == State::kFailed) {
    state_ = State::kStarting;
    wanted_ = true;
    changed_.NotifyAll();
  }
  while (state_ == State::kStarting && !Stopping() &&
         changed_.WaitUntil(mutex_, end)) {
  }
  if (Stopping()) {
    return Unavailable(
        "{} is not served any more: the plugin ends, or the "
        "device was made anew; call again",
        options_.device.ToString());
  }
  if (state_ == State::kStarting) {
    return Unavailable(
        "famfs-fused for {} still starts (a long log takes its time); call "
        "again",
        options_.device.ToString());
  }
  if (state_ == State::kServing) return served_;
  return absl::UnavailableError(error_.message());
}

PoolServing PoolServer::Now() {
  const MutexLock lock(mutex_);
  PoolServing now{.served = std::nullopt,
                  .starts = starts_,
                  .overdue = questions_->overdue()};
  if (state_ == State::kServing && !Readable(process_.pidfd.get())) {
    now.served = served_;
  }
  return now;
}

void PoolServer::Publish(State state, absl::Status error, DataPath data_path) {
  const MutexLock lock(mutex_);
  state_ = state;
  error_ = std::move(error);
  served_.data_path = data_path;
  wanted_ = false;
  changed_.NotifyAll();
}

void PoolServer::Run() {
  milliseconds pause = kFirstPause;
  while (!Stopping()) {
    const absl::StatusOr<DataPath> data_path = Ensure();
    if (Stopping()) return;
    if (!data_path.ok()) {
      // The first time it may be a container that starts beside this one.
      spdlog::log(
          pause == kFirstPause ? spdlog::level::warn : spdlog::level::err,
          "{} is not served: {}; trying again", options_.device.ToString(),
          Message(data_path.status()));
      Publish(State::kFailed, data_path.status(), DataPath::kAuto);
      const auto end = std::chrono::steady_clock::now() + pause;
      const MutexLock lock(mutex_);
      while (!wanted_ && !Stopping() && changed_.WaitUntil(mutex_, end)) {
      }
      state_ = State::kStarting;
      pause = std::min(pause * 2, kLongestPause);
      continue;
    }
    pause = kFirstPause;
    spdlog::info("{} is served at {} by process {}, data path {}",
                 options_.device.ToString(), options_.mount_point,
                 own_process().pid, ToString(*data_path));
    Publish(State::kServing, absl::OkStatus(), *data_path);
    if (!Watch()) return;
    spdlog::error("famfs-fused (process {}) of {} {}; starting another",
                  own_process().pid, options_.device.ToString(),
                  DescribeEnd(own_process().pid));
    const MutexLock lock(mutex_);
    state_ = State::kStarting;
  }
}

bool PoolServer::Watch() {
  ServedPool served;
  {
    const MutexLock lock(mutex_);
    served = served_;
  }
  milliseconds pause = kFirstPause;
  while (!serving_(served)) {
    const int timeout = static_cast<int>(pause.count());
    if (WaitForEvent(own_process().pidfd.get(), POLLIN, timeout)) return false;
    if (Readable(own_process().pidfd.get())) return true;
    pause = std::min(pause * 2, kLongestPause);
  }
  return !WaitForEvent(own_process().pidfd.get(), POLLIN, -1);
}

absl::StatusOr<DataPath> PoolServer::Ensure() {
  FAMFS_ASSIGN_OR_RETURN(std::optional<FusedProcess> found,
                         FindFused(options_));
  if (found.has_value()) return Adopt(*std::move(found));
  return StartServer();
}

bool PoolServer::IsMounted() const {
  const absl::StatusOr<MountTable> table = MountTable::Read();
  return table.ok() && table->Top(options_.mount_point) != nullptr;
}

bool PoolServer::WaitForMount(milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const UniqueFd events(
      ::open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC));
  while (!IsMounted()) {
    const auto left = std::chrono::duration_cast<milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || Readable(own_process().pidfd.get())) return false;
    // The kernel tells of every change of the table; once a second suffices to
    // notice a server that ends meanwhile.
    const int timeout =
        static_cast<int>(std::min<std::int64_t>(left.count(), 1'000));
    if (WaitForEvent(events.get(), POLLPRI, timeout)) return false;
  }
  return true;
}

absl::StatusOr<DataPath> PoolServer::Adopt(FusedProcess process) {
  {
    const MutexLock lock(mutex_);
    process_ = std::move(process);
  }
  // Of memory that went away and came back; it answers ESTALE for good.
  bool is_old = std::exchange(came_back_, false);
  if (!is_old && WaitForMount(kMountPatience)) {
    auto data_path = AskDataPath(options_.mount_point, *questions_);
    is_old = absl::IsFailedPrecondition(data_path.status());
    if (data_path.ok()) {
      spdlog::info("found the famfs-fused of {} alive",
                   options_.device.ToString());
    }
    if (!is_old) return data_path;
  }
  if (Stopping()) return Unavailable("the plugin ends");
  if (!Readable(own_process().pidfd.get())) {
    // Its clones keep it alive, but nothing new can be bound from it.
    spdlog::warn("process {} serves {} but {}; replacing it", own_process().pid,
                 options_.device.ToString(),
                 is_old ? "opened its memory before that went and came back"
                        : "is mounted nowhere");
    SignalProcess(own_process(), SIGKILL);
    WaitForEvent(own_process().pidfd.get(), POLLIN,
                 static_cast<int>(milliseconds(kEndPatience).count()));
  }
  return StartServer();
}

absl::Status PoolServer::RemoveDeadMounts() {
  FAMFS_ASSIGN_OR_RETURN(const MountTable table, MountTable::Read());
  const std::size_t dead = table.At(options_.mount_point).size();
  for (std::size_t i = 0; i < dead; ++i) {
    spdlog::warn("detaching the dead mount at {}", options_.mount_point);
    if (::umount2(options_.mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) !=
        0) {
      return ErrnoError(errno,
                        fmt::format("detaching {}", options_.mount_point));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<DataPath> PoolServer::StartServer() {
  FAMFS_RETURN_IF_ERROR(RemoveDeadMounts());
  std::error_code error;
  std::filesystem::create_directories(options_.mount_point, error);
  if (error) return ErrnoError(error.value(), options_.mount_point);
  FAMFS_ASSIGN_OR_RETURN(StartingFused starting, StartFused(options_));
  {
    const MutexLock lock(mutex_);
    process_ = std::move(starting.process);
    ++starts_;
  }
  ReadyAnswer answer;
  while (answer.line.find('\n') == std::string::npos) {
    if (WaitForEvent(starting.ready.get(), POLLIN, -1)) {
      return Unavailable("the plugin ends");
    }
    if (!ReadReady(starting.ready, answer)) break;
  }
  auto data_path = ParseServedPath(answer.line);
  if (!data_path.ok()) {
    // It ends by itself; reap it, so that no zombie stays.
    WaitForEvent(own_process().pidfd.get(), POLLIN,
                 static_cast<int>(milliseconds(kEndPatience).count()));
    return Annotate(
        data_path.status(),
        fmt::format("famfs-fused for {} {}", options_.device.ToString(),
                    DescribeEnd(own_process().pid)));
  }
  // Without its mount the server ends by itself.
  if (::move_mount(answer.mount.get(), "", AT_FDCWD,
                   options_.mount_point.c_str(),
                   MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return ErrnoError(errno,
                      fmt::format("mounting on {}", options_.mount_point));
  }
  return data_path;
}

}  // namespace famfs::node
