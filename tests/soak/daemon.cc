#include "tests/soak/daemon.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

namespace famfs::soak {
namespace {

constexpr std::size_t kKeptLog = 256 << 10;  // bytes
constexpr std::chrono::seconds kStartPatience{60};

std::size_t EntriesOf(const std::string& directory) {
  std::error_code error;
  std::size_t count = 0;
  for (auto it = std::filesystem::directory_iterator(directory, error);
       !error && it != std::filesystem::directory_iterator();
       it.increment(error)) {
    ++count;
  }
  return count;
}

// By the names that gRPC gives them, of which the kernel keeps 15 bytes.
bool IsOfGrpc(const std::string& name) {
  return name.starts_with("default-execu") ||
         name.starts_with("resolver-execu") ||
         name.starts_with("grpc");  // grpc_global_timer, grpcpp_sync_server
}

std::vector<std::string> ThreadNames(pid_t pid) {
  std::vector<std::string> names;
  std::error_code error;
  const std::string tasks = fmt::format("/proc/{}/task", pid);
  for (auto it = std::filesystem::directory_iterator(tasks, error);
       !error && it != std::filesystem::directory_iterator();
       it.increment(error)) {
    std::ifstream file(it->path() / "comm");
    std::string name;
    if (std::getline(file, name)) names.push_back(name);
  }
  return names;
}

}  // namespace

Daemon::Daemon(std::string name, rig::Process::Options options,
               std::string socket)
    : name_(std::move(name)),
      options_(std::move(options)),
      socket_(std::move(socket)) {}

absl::Status Daemon::Start() {
  FAMFS_ASSIGN_OR_RETURN(process_, rig::Process::Start(options_));
  return absl::OkStatus();
}

absl::Status Daemon::WaitUntilItListens() {
  return Annotate(rig::WaitForSocket(socket_, process_.get(), kStartPatience),
                  name_);
}

void Daemon::Collect() {
  log_ += process_->output();
  process_.reset();
  if (log_.size() > kKeptLog) log_.erase(0, log_.size() - kKeptLog);
}

void Daemon::Kill(std::chrono::milliseconds pause) {
  if (process_ == nullptr) return;
  process_->Kill();
  log_ += fmt::format("---- process {} was killed by the soak\n", pid());
  Collect();
  start_at_ = std::chrono::steady_clock::now() + pause;
}

absl::Status Daemon::Look() {
  if (process_ == nullptr) {
    if (std::chrono::steady_clock::now() < start_at_) return absl::OkStatus();
    return Start();
  }
  if (process_->Running()) return absl::OkStatus();
  const int status = process_->Wait().value_or(-1);
  Collect();
  return FailedPrecondition("{} has ended by itself, with status {}", name_,
                            status);
}

absl::Status Daemon::Stop() {
  if (process_ == nullptr) return absl::OkStatus();
  const auto status = process_->Stop(kStartPatience);
  Collect();
  if (!status.ok()) return Annotate(status.status(), name_);
  if (*status == 0) return absl::OkStatus();
  return FailedPrecondition("{} ended with status {} after SIGTERM", name_,
                            *status);
}

std::string Daemon::Log() const {
  return log_ + (process_ == nullptr ? "" : process_->output());
}

Holdings HoldingsOf(pid_t pid) {
  const std::vector<std::string> threads = ThreadNames(pid);
  const auto of_grpc = static_cast<std::size_t>(
      std::count_if(threads.begin(), threads.end(), IsOfGrpc));
  return {.descriptors = EntriesOf(fmt::format("/proc/{}/fd", pid)),
          .threads = threads.size() - of_grpc,
          .grpc_threads = of_grpc};
}

}  // namespace famfs::soak
