#include "node/fused/spawner.h"

#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "runtime/signals.h"
#include "runtime/socket_file.h"
#include "runtime/spawn.h"

namespace famfs::node {
namespace {

// For a caller's request.
constexpr std::chrono::seconds kClientPatience{5};
// A plugin asks for one server after the other.
constexpr std::size_t kMaxConnections = 64;
constexpr std::chrono::seconds kEndPatience{10};
// Until it is tried again, when not even the silent ones' descriptors help.
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr int kSignals[] = {SIGCHLD, SIGTERM, SIGINT};

absl::Status CheckFree(const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const SocketState state, ExamineSocket(path));
  if (state == SocketState::kNotSocket) {
    return FailedPrecondition("{}: there is something else than a socket",
                              path);
  }
  if (state == SocketState::kListening) {
    return FailedPrecondition("{}: another famfs-fused-spawner listens there",
                              path);
  }
  return absl::OkStatus();
}

// For poll(2).
int MillisecondsUntil(std::chrono::steady_clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      end - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Spawner>> Spawner::Start(
    const std::string& socket, const std::string& fused_program) {
  std::unique_ptr<Spawner> spawner(new Spawner(socket, fused_program));
  FAMFS_ASSIGN_OR_RETURN(spawner->signals_, TakeSignals(kSignals));
  FAMFS_ASSIGN_OR_RETURN(spawner->listener_,
                         SocketFile::Listen(socket, SOCK_SEQPACKET, 0600,
                                            [&] { return CheckFree(socket); }));
  return spawner;
}

Spawner::Spawner(std::string socket, std::string fused_program)
    : socket_(std::move(socket)), fused_program_(std::move(fused_program)) {}

void Spawner::Run() {
  spdlog::info("listens on {}", socket_);
  while (true) {
    DropSilent();
    // One who cannot be taken in stays at the door, where poll would go on
    // telling of them.
    const bool accepts = std::chrono::steady_clock::now() >= accept_after_;
    std::vector<pollfd> items = {
        {.fd = signals_.get(), .events = POLLIN, .revents = 0},
        {.fd = accepts ? listener_->fd() : -1, .events = POLLIN, .revents = 0}};
    for (const Connection& connection : connections_) {
      items.push_back(
          {.fd = connection.fd.get(), .events = POLLIN, .revents = 0});
    }
    if (::poll(items.data(), items.size(), Timeout(accepts)) < 0) {
      if (errno == EINTR) continue;
      spdlog::error("poll: {}", std::strerror(errno));
      return;
    }
    if (items[0].revents != 0 && !HandleSignal()) return;
    for (std::size_t i = items.size(); i-- > 2;) {
      if (items[i].revents == 0) continue;
      const auto it = connections_.begin() + static_cast<std::ptrdiff_t>(i - 2);
      ServeConnection(*it);
      connections_.erase(it);
    }
    if (items[1].revents != 0) Accept();
  }
}

int Spawner::Timeout(bool accepts) const {
  int timeout =
      connections_.empty() ? -1 : MillisecondsUntil(connections_.front().end);
  if (!accepts) {
    const int pause = MillisecondsUntil(accept_after_);
    timeout = timeout < 0 ? pause : std::min(timeout, pause);
  }
  return timeout;
}

bool Spawner::HandleSignal() {
  const int number = NextSignal(signals_.get());
  if (number == 0) return true;
  if (number == SIGCHLD) {
    Reap();
    return true;
  }
  spdlog::info("signal {}: ending {} servers; their mounts stay", number,
               children_.size());
  EndChildren();
  return false;
}

void Spawner::Accept() {
  UniqueFd fd(::accept4(listener_->fd(), nullptr, nullptr,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    CannotAccept(errno);
    return;
  }
  logged_ = false;
  if (connections_.size() == kMaxConnections) connections_.pop_front();
  connections_.push_back(
      {std::move(fd), std::chrono::steady_clock::now() + kClientPatience});
}

void Spawner::CannotAccept(int error) {
  if (error == EAGAIN || error == EINTR || error == ECONNABORTED) return;
  if (!std::exchange(logged_, true)) {
    spdlog::error("no connection can be taken: {}", std::strerror(error));
  }
  // Those who came first and say nothing make room for those who wait.
  if (connections_.empty()) {
    accept_after_ = std::chrono::steady_clock::now() + kAcceptPause;
  } else {
    connections_.pop_front();
  }
}

void Spawner::DropSilent() {
  const auto now = std::chrono::steady_clock::now();
  while (!connections_.empty() && connections_.front().end <= now) {
    connections_.pop_front();
  }
}

// A message comes and goes whole, and an answer fits into an empty socket:
// nothing in this waits.
void Spawner::ServeConnection(const Connection& connection) {
  const auto request = ReceiveMessage(connection.fd.get());
  if (!request.ok()) return;
  const absl::Status sent = SendMessage(connection.fd.get(), Answer(*request));
  if (!sent.ok()) spdlog::warn("an answer was not taken: {}", Message(sent));
}

SpawnerMessage Spawner::Answer(const SpawnerMessage& request) {
  auto answer = [&]() -> absl::StatusOr<SpawnerMessage> {
    const auto json = nlohmann::json::parse(request.text, nullptr, false);
    if (!json.is_object()) {
      return InvalidArgument("the request is no JSON object");
    }
    const auto text = [&](const char* name) -> std::string {
      const auto found = json.find(name);
      return found != json.end() && found->is_string() ? *found : "";
    };
    const std::string op = text("op");
    if (op == "find") return FindChild(text("lockFile"));
    if (op != "start") {
      return InvalidArgument("the request is neither start nor find");
    }
    FAMFS_ASSIGN_OR_RETURN(const FusedLaunch options,
                           FusedLaunchFromJson(json));
    if (request.descriptors.size() != 1) {
      return InvalidArgument(
          "the request to start comes with {} descriptors, not with one, "
          "/dev/fuse",
          request.descriptors.size());
    }
    return StartChild(options, request.descriptors[0]);
  }();
  if (answer.ok()) return *std::move(answer);
  spdlog::error("a request was refused: {}", Message(answer.status()));
  const nlohmann::json error = {{"error", Message(answer.status())}};
  return {.text = error.dump(-1, ' ', false,
                             nlohmann::json::error_handler_t::replace)};
}

absl::StatusOr<SpawnerMessage> Spawner::StartChild(const FusedLaunch& options,
                                                   const UniqueFd& fuse) {
  FusedLaunch own = options;
  own.program = fused_program_;
  FAMFS_ASSIGN_OR_RETURN(StartingFused starting, SpawnFused(own, fuse));
  const pid_t pid = starting.process.pid;
  children_[pid] = options.lock_file;
  spdlog::info("process {} serves {} at {}", pid, options.device.ToString(),
               options.mount_point);
  SpawnerMessage answer{.text = nlohmann::json{{"pid", pid}}.dump()};
  answer.descriptors.push_back(std::move(starting.process.pidfd));
  answer.descriptors.push_back(std::move(starting.ready));
  return answer;
}

absl::StatusOr<SpawnerMessage> Spawner::FindChild(
    const std::string& lock_file) {
  Reap();
  for (const auto& [pid, lock] : children_) {
    if (lock != lock_file) continue;
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) return ErrnoError(errno, "pidfd_open");
    SpawnerMessage answer{.text = nlohmann::json{{"pid", pid}}.dump()};
    answer.descriptors.push_back(std::move(pidfd));
    return answer;
  }
  return SpawnerMessage{.text = nlohmann::json{{"pid", 0}}.dump()};
}

void Spawner::Reap() {
  // As the first process of a container we also inherit orphans.
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (children_.erase(pid) == 0) continue;
    spdlog::error("famfs-fused (process {}) {}", pid, DescribeStatus(status));
  }
}

void Spawner::EndChildren() {
  for (const auto& [pid, lock] : children_) ::kill(pid, SIGTERM);
  const auto end = std::chrono::steady_clock::now() + kEndPatience;
  while (!children_.empty()) {
    pollfd item = {.fd = signals_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, MillisecondsUntil(end)) <= 0) break;
    if (NextSignal(signals_.get()) == 0) break;
    Reap();
  }
  if (!children_.empty()) {
    spdlog::error("{} servers did not end in time", children_.size());
  }
}

}  // namespace famfs::node
