#include "csi/process/end_limit.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "base/thread.h"

namespace famfs::csi {

absl::StatusOr<std::unique_ptr<EndLimit>> EndLimit::Start(
    std::function<std::string()> under_way) {
  std::unique_ptr<EndLimit> limit(new EndLimit(std::move(under_way)));
  FAMFS_ASSIGN_OR_RETURN(limit->thread_,
                         StartThread([self = limit.get()] { self->Run(); }));
  return limit;
}

EndLimit::~EndLimit() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void EndLimit::Begin(std::chrono::milliseconds limit) {
  const MutexLock lock(mutex_);
  if (limit_.has_value()) return;
  limit_ = limit;
  changed_.NotifyAll();
}

void EndLimit::Run() {
  const MutexLock lock(mutex_);
  while (!limit_.has_value() && !ended_) changed_.Wait(mutex_);
  if (ended_) return;
  const auto end = std::chrono::steady_clock::now() + *limit_;
  while (!ended_ && changed_.WaitUntil(mutex_, end)) {
  }
  if (ended_) return;
  const std::string rest = under_way_();
  spdlog::error(
      "the end has taken {} ms and does not come ({}): exits without waiting "
      "longer; what was acknowledged stands",
      limit_->count(), rest.empty() ? "nothing that is known" : rest);
  spdlog::default_logger()->flush();
  ::_exit(1);
}

}  // namespace famfs::csi
