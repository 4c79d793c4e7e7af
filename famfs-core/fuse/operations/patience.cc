#include "fuse/operations/patience.h"

#include <utility>

#include "base/thread.h"

namespace famfs {

absl::Status Patience::Start() {
  FAMFS_ASSIGN_OR_RETURN(thread_, StartThread([this] { Run(); }));
  return absl::OkStatus();
}

void Patience::At(Clock::time_point moment, std::function<void()> late) {
  {
    const MutexLock lock(mutex_);
    if (!stopping_) {
      waiting_.emplace(moment, std::exchange(late, nullptr));
    }
  }
  if (late != nullptr) {
    late();
  } else {
    wake_.NotifyOne();
  }
}

void Patience::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    if (waiting_.empty()) {
      if (stopping_) return;
      wake_.Wait(mutex_);
      continue;
    }
    const auto first = waiting_.begin();
    if (!stopping_ && Clock::now() < first->first) {
      wake_.WaitUntil(mutex_, first->first);
      continue;
    }
    const std::function<void()> late = std::move(first->second);
    waiting_.erase(first);
    lock.Unlock();
    late();
    lock.Lock();
  }
}

void Patience::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

}  // namespace famfs
