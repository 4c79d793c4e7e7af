#include "node/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

namespace famfs::node {
namespace {

constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};
constexpr std::chrono::seconds kEndPatience{10};

sigset_t WatchedSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT}) {
    ::sigaddset(&set, number);
  }
  return set;
}

absl::Status CheckFree(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoError(errno, path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return FailedPrecondition("{}: there is something else than a socket",
                              path);
  }
  if (ConnectToSpawner(path, kPatience).ok()) {
    return FailedPrecondition("{}: another famfs-fused-spawner listens there",
                              path);
  }
  return absl::OkStatus();
}

// Bound under another name, made ours alone, then renamed: nobody meets a
// socket that others may connect to.
absl::StatusOr<UniqueFd> Listen(const std::string& path) {
  FAMFS_RETURN_IF_ERROR(CheckFree(path));
  const std::string bound = path + ".new";
  FAMFS_ASSIGN_OR_RETURN(const sockaddr_un address, SocketAddress(bound));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  ::unlink(bound.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof(address)) != 0 ||
      ::chmod(bound.c_str(), 0600) != 0 || ::listen(fd.get(), 16) != 0 ||
      ::rename(bound.c_str(), path.c_str()) != 0) {
    return ErrnoError(errno, path);
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Spawner>> Spawner::Start(
    const std::string& socket, const std::string& fused_program) {
  std::unique_ptr<Spawner> spawner(new Spawner(socket, fused_program));
  const sigset_t set = WatchedSignals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  spawner->signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!spawner->signals_.valid()) return ErrnoError(errno, "signalfd");
  FAMFS_ASSIGN_OR_RETURN(spawner->listener_, Listen(socket));
  return spawner;
}

Spawner::Spawner(std::string socket, std::string fused_program)
    : socket_(std::move(socket)), fused_program_(std::move(fused_program)) {}

Spawner::~Spawner() {
  if (listener_.valid()) ::unlink(socket_.c_str());
}

void Spawner::Run() {
  spdlog::info("waits for orders on {}", socket_);
  std::array<pollfd, 2> items = {
      {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
       {.fd = listener_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) return;
    if ((items[0].revents & POLLIN) != 0) {
      signalfd_siginfo info = {};
      if (::read(signals_.get(), &info, sizeof(info)) !=
          static_cast<ssize_t>(sizeof(info))) {
        continue;
      }
      if (info.ssi_signo != SIGCHLD) {
        spdlog::info("signal {}: ending {} servers; their mounts stay",
                     info.ssi_signo, children_.size());
        EndChildren();
        return;
      }
      Reap();
    }
    if ((items[1].revents & POLLIN) != 0) ServeConnection();
  }
}

void Spawner::ServeConnection() {
  const UniqueFd connection(
      ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.valid()) return;
  // Whoever connects and says nothing must not keep the others waiting.
  ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience,
               sizeof(kPatience));
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience,
               sizeof(kPatience));
  const auto request = ReceiveMessage(connection.get());
  if (!request.ok()) return;
  const absl::Status sent = SendMessage(connection.get(), Answer(*request));
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
    FAMFS_ASSIGN_OR_RETURN(const FusedOptions options,
                           FusedOptionsFromJson(json));
    return StartChild(options);
  }();
  if (answer.ok()) return *std::move(answer);
  spdlog::error("a request was refused: {}", Message(answer.status()));
  const nlohmann::json error = {{"error", Message(answer.status())}};
  return {.text = error.dump(-1, ' ', false,
                             nlohmann::json::error_handler_t::replace)};
}

absl::StatusOr<SpawnerMessage> Spawner::StartChild(
    const FusedOptions& options) {
  FusedOptions own = options;
  own.program = fused_program_;
  FAMFS_ASSIGN_OR_RETURN(StartingFused starting, SpawnFused(own));
  const pid_t pid = starting.process.pid;
  children_[pid] = options.lock_file;
  spdlog::info("process {} serves {} at {}", pid, options.device,
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
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd item = {.fd = signals_.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 ||
        ::poll(&item, 1, static_cast<int>(left.count())) <= 0) {
      break;
    }
    signalfd_siginfo info = {};
    if (::read(signals_.get(), &info, sizeof(info)) < 0) break;
    Reap();
  }
  if (!children_.empty()) {
    spdlog::error("{} servers did not end in time", children_.size());
  }
}

}  // namespace famfs::node
