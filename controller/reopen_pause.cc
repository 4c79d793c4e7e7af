#include "controller/reopen_pause.h"

#include <algorithm>

namespace famfs::controller {

void ReopenPause::Overtaken(Clock::time_point now) {
  const bool again = length_.count() > 0 && now - opened_ < kSettled;
  length_ =
      again ? std::min<std::chrono::seconds>(2 * length_, kLongest) : kFirst;
  end_ = now + length_;
}

}  // namespace famfs::controller
