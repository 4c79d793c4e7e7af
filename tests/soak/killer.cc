#include "tests/soak/killer.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/integration/support/wait.h"

namespace famfs::soak {
namespace {

constexpr milliseconds kTick{20};
// Between two kills, and until what was killed is started again.
constexpr std::uint64_t kLongestPeace = 1'200;  // ms
constexpr std::uint64_t kLongestPause = 400;    // ms

}  // namespace

Killer::Killer(Cluster& cluster, Progress& progress, std::uint64_t seed,
               bool kills)
    : cluster_(cluster),
      progress_(progress),
      random_(seed),
      kills_(kills),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

Killer::~Killer() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
  const auto all_run = [&] {
    const auto daemons = cluster_.daemons();
    return std::all_of(daemons.begin(), daemons.end(),
                       [](const Daemon* daemon) { return daemon->running(); });
  };
  rig::Eventually([&] { return !LookAtAll() || all_run(); });
}

void Killer::Run() {
  rig::Deadline peace(milliseconds(Between(random_, 0, kLongestPeace)));
  const rig::Deadline never(std::chrono::hours(24 * 365));
  while (!rig::PollFd(stop_.get(), POLLIN, never, kTick)) {
    if (!LookAtAll() || progress_.failed()) return;
    if (!kills_ || !peace.Passed()) continue;
    KillOne();
    peace = rig::Deadline(milliseconds(Between(random_, 0, kLongestPeace)));
  }
}

bool Killer::LookAtAll() {
  for (Daemon* daemon : cluster_.daemons()) {
    if (const absl::Status status = daemon->Look(); !status.ok()) {
      progress_.Fail(std::string(Message(status)));
      return false;
    }
  }
  return true;
}

void Killer::KillOne() {
  const milliseconds pause(Between(random_, 0, kLongestPause));
  Node& node = *cluster_.nodes()[Between(random_, 0, 1)];
  switch (Between(random_, 0, 6)) {
    case 0:
    case 1:
      cluster_.controller().Kill(pause);
      break;
    case 2:
    case 3:
      node.plugin().Kill(pause);
      break;
    case 4:
      // A container's end takes all of its processes along.
      if (node.spawner() != nullptr) {
        node.spawner()->Kill(pause);
        KillServers(node, true);
        break;
      }
      [[fallthrough]];
    default:
      KillServers(node, false);
      break;
  }
  ++progress_.kills;
}

void Killer::KillServers(const Node& node, bool all) {
  std::vector<FusedServer> servers = node.Servers();
  std::shuffle(servers.begin(), servers.end(), random_);
  for (const FusedServer& server : servers) {
    progress_.NoteServerKill();
    ::syscall(SYS_pidfd_send_signal, server.pidfd.get(), SIGKILL, nullptr, 0);
    if (!all) return;
  }
}

}  // namespace famfs::soak
