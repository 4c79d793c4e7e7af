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
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void EndLimit::Begin(std::chrono::milliseconds limit) {
  const std::lock_guard lock(mutex_);
  if (limit_.has_value()) return;
  limit_ = limit;
  changed_.notify_all();
}

void EndLimit::Run() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return limit_.has_value() || ended_; });
  if (ended_ || changed_.wait_for(lock, *limit_, [this] { return ended_; })) {
    return;
  }
  const std::string rest = under_way_();
  spdlog::error(
      "the end has taken {} ms and does not come ({}): exits without waiting "
      "longer; what was acknowledged stands",
      limit_->count(), rest.empty() ? "nothing that is known" : rest);
  spdlog::default_logger()->flush();
  ::_exit(1);
}

}  // namespace famfs::csi
