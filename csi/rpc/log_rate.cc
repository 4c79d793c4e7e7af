#include "csi/rpc/log_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace famfs::csi {

std::optional<std::uint64_t> LogRate::Pass() {
  const MutexLock lock(mutex_);
  const auto earned = (Clock::now() - since_) / pause_;
  if (earned > 0) {
    left_ = static_cast<int>(std::min<std::int64_t>(burst_, left_ + earned));
    since_ += earned * pause_;
  }
  if (left_ == 0) {
    ++held_back_;
    return std::nullopt;
  }
  --left_;
  return std::exchange(held_back_, 0);
}

std::string LogRate::Told(std::uint64_t held_back) {
  if (held_back == 0) return {};
  return fmt::format(" (and {} more like it)", held_back);
}

}  // namespace famfs::csi
