#include "controller/reclaimer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "base/units.h"

namespace famfs::controller {
namespace {

using std::chrono::milliseconds;

// A host that lives lets go within its poll interval (200 ms by default).
constexpr milliseconds kFirstPause{250};

/// Each host that is waited for once, sorted; "a damaged row" has no name.
std::vector<std::string> WaitedFor(const std::vector<HostStatus>& hosts) {
  std::set<std::string> names;
  for (const HostStatus& host : hosts) {
    if (host.waiting_bytes == 0) continue;
    names.insert(host.standing == HostStanding::kDamaged
                     ? "a damaged row of the host table"
                     : host.host.ToString());
  }
  return {names.begin(), names.end()};
}

}  // namespace

absl::Status Reclaimer::Start() {
  auto thread = StartThread([this] { Run(); });
  if (!thread.ok()) {
    return Annotate(thread.status(),
                    fmt::format("the deleted space of pool {}", options_.pool));
  }
  thread_ = *std::move(thread);
  return absl::OkStatus();
}

Reclaimer::~Reclaimer() { Join(); }

void Reclaimer::Join() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void Reclaimer::Soon() {
  {
    const MutexLock lock(mutex_);
    soon_ = true;
  }
  wanted_.NotifyOne();
}

void Reclaimer::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  if (const auto writer = options_.writer(); writer != nullptr) {
    writer->CancelReclaim();
  }
  wanted_.NotifyOne();
}

void Reclaimer::Run() {
  milliseconds pause = options_.interval;
  MutexLock lock(mutex_);
  while (true) {
    const auto end = Clock::now() + pause;
    while (!soon_ && !stopping_ && wanted_.WaitUntil(mutex_, end)) {
    }
    if (stopping_) return;
    const bool asked = std::exchange(soon_, false);
    lock.Unlock();
    bool waits = false;
    if (const auto writer = options_.writer(); writer != nullptr) {
      busy_ = true;
      waits = TryRound(*writer);
      busy_ = false;
    }
    lock.Lock();
    if (!waits) {
      pause = options_.interval;
    } else {
      pause = std::min(options_.interval, asked ? kFirstPause : pause * 2);
    }
  }
}

bool Reclaimer::TryRound(Writer& writer) {
  try {
    return Round(writer);
  } catch (const std::exception& error) {  // no memory, or no thread
    spdlog::error("pool {}: a round to give deleted space back failed: {}",
                  options_.pool, error.what());
    return true;
  }
}

bool Reclaimer::Round(Writer& writer) {
  if (options_.before_round) options_.before_round(writer);
  LogRefill(writer.RefillMemory());
  orphans_.Remove(writer);
  const PoolFigures before = writer.Figures();
  const absl::Status status = writer.Reclaim();
  const PoolFigures after = writer.Figures();
  LogResult(status, before, after);
  LogWaiting(writer, after);
  return after.pending > 0;
}

void Reclaimer::LogRefill(const absl::Status& status) {
  const std::string error(Message(status));
  if (std::exchange(logged_refill_, error) == error || status.ok()) return;
  spdlog::error("pool {}: {}", options_.pool, error);
}

void Reclaimer::LogResult(const absl::Status& status, const PoolFigures& before,
                          const PoolFigures& after) {
  if (after.pending < before.pending) {
    spdlog::info("pool {}: {} of deleted space came back, {} still wait",
                 options_.pool, FormatSize(before.pending - after.pending),
                 FormatSize(after.pending));
  }
  const std::string error(Message(status));
  if (error == logged_error_) return;
  logged_error_ = error;
  if (!status.ok()) {
    spdlog::warn("pool {}: deleted space was not given back yet: {}",
                 options_.pool, error);
  }
}

void Reclaimer::LogWaiting(const Writer& writer, const PoolFigures& figures) {
  const std::vector<std::string> hosts = figures.waiting_hosts > 0
                                             ? WaitedFor(writer.Hosts())
                                             : std::vector<std::string>{};
  const Clock::time_point now = Clock::now();
  if (!hosts.empty() && !std::exchange(waits_, true)) waiting_since_ = now;
  if (hosts.empty()) {
    waits_ = false;
    if (!std::exchange(logged_waiting_, {}).empty()) {
      spdlog::info("pool {}: deleted space waits for no host any more",
                   options_.pool);
    }
    return;
  }
  // Each host takes a moment to let go; only who does not is worth a word.
  const std::string names = fmt::format("{}", fmt::join(hosts, ", "));
  if (now - waiting_since_ < options_.interval || names == logged_waiting_) {
    return;
  }
  logged_waiting_ = names;
  spdlog::warn(
      "pool {}: {} of deleted volumes wait until these hosts let go of them: "
      "{}; end what maps them there or, if a host is dead, `famfs evict {} "
      "HOST` (`famfs hosts {}` tells more)",
      options_.pool, FormatSize(figures.quarantined), names,
      writer.device()->spec(), writer.device()->spec());
}

}  // namespace famfs::controller
