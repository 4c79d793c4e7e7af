#include "controller/helper.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

#include "base/thread.h"

namespace famfs::controller {

using std::chrono::milliseconds;

absl::StatusOr<std::unique_ptr<Helper>> Helper::Start(const std::string& name,
                                                      Job tick,
                                                      milliseconds interval) {
  std::unique_ptr<Helper> helper(new Helper(std::move(tick), interval));
  auto thread = StartThread([self = helper.get()] { self->Run(); });
  if (!thread.ok()) return Annotate(thread.status(), name);
  helper->thread_ = *std::move(thread);
  return helper;
}

Helper::~Helper() { Join(); }

void Helper::Join() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void Helper::Stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  wanted_.NotifyAll();
  for (const auto& item : queue_) item->changed.NotifyAll();
  if (under_way_ != nullptr) under_way_->changed.NotifyAll();
}

bool Helper::Do(Job job, milliseconds limit) {
  const MutexLock lock(mutex_);
  if (stopping_ || BusyLocked() > limit) return false;
  const auto item = std::make_shared<Item>();
  item->job = std::move(job);
  queue_.push_back(item);
  wanted_.NotifyOne();
  const auto end = Clock::now() + limit;
  while (!item->done && !stopping_ && item->changed.WaitUntil(mutex_, end)) {
  }
  if (!item->begun) std::erase(queue_, item);
  return item->done;
}

milliseconds Helper::busy() const {
  const MutexLock lock(mutex_);
  return BusyLocked();
}

milliseconds Helper::BusyLocked() const {
  if (!busy_since_.has_value()) return milliseconds(0);
  return std::chrono::duration_cast<milliseconds>(Clock::now() - *busy_since_);
}

void Helper::RunOne(const Job& job) {
  busy_since_ = Clock::now();
  {
    const MutexUnlock unlock(mutex_);
    try {
      job();
    } catch (const std::exception& error) {
      spdlog::error("an unexpected failure of the driver: {}", error.what());
    }
  }
  busy_since_.reset();
}

void Helper::Run() {
  Clock::time_point next_tick = Clock::now();
  const MutexLock lock(mutex_);
  while (!stopping_) {
    if (Clock::now() >= next_tick) {
      RunOne(tick_);
      next_tick = Clock::now() + interval_;
    } else if (queue_.empty()) {
      wanted_.WaitUntil(mutex_, next_tick);
    } else {
      under_way_ = std::move(queue_.front());
      queue_.pop_front();
      under_way_->begun = true;
      RunOne(under_way_->job);
      under_way_->done = true;
      under_way_->changed.NotifyAll();
      under_way_.reset();
    }
  }
}

}  // namespace famfs::controller
