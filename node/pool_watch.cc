#include "node/pool_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace famfs::node {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{250};
constexpr milliseconds kLongestPause{5'000};

}  // namespace

PoolWatch::PoolWatch(Volumes& volumes) : volumes_(volumes) {
  OpenAll();
  settled_ = volumes_.closed_pools() == 0;
  thread_ = std::thread([this] { Run(); });
}

PoolWatch::~PoolWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void PoolWatch::OpenAll() {
  for (const auto& pool : volumes_.pools()) {
    const absl::Status status = pool->Open();
    if (status.ok()) {
      if (told_.erase(pool->name()) > 0) {
        spdlog::info("pool {} is open on this node now", pool->name());
      }
      continue;
    }
    std::string& told = told_[pool->name()];
    if (told == Message(status)) continue;
    told = Message(status);
    spdlog::log(pool->IsElsewhere() ? spdlog::level::info : spdlog::level::warn,
                "{}", told);
  }
}

void PoolWatch::Run() {
  milliseconds pause = kFirstPause;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, pause, [this] { return stopping_; })) {
    lock.unlock();
    OpenAll();
    const bool settled = volumes_.closed_pools() == 0;
    const bool all = volumes_.open_pools() == volumes_.pools().size();
    lock.lock();
    if (settled) {
      settled_ = true;
      changed_.notify_all();
    }
    pause = all ? kFirstPause : std::min(pause * 2, kLongestPause);
  }
}

bool PoolWatch::WaitForAll(milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return settled_ || stopping_; });
  return settled_;
}

}  // namespace famfs::node
