#include "controller/pool_watch.h"

#include <algorithm>

namespace famfs::controller {
namespace {

constexpr std::chrono::milliseconds kLongestInterval{1'000};

}  // namespace

PoolWatch::PoolWatch(PoolSet& pools, std::chrono::milliseconds interval)
    : pools_(pools),
      interval_(std::min(interval, kLongestInterval)),
      thread_([this] { Run(); }) {}

PoolWatch::~PoolWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void PoolWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval_, [this] { return stopping_; })) {
    lock.unlock();
    for (const auto& pool : pools_.pools()) pool->Look();
    lock.lock();
  }
}

}  // namespace famfs::controller
