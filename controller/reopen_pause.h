// How long a pool stays closed after another writer took it over.
//
// The other one may still be at work, so the pool is not taken back at once.
// Two writers that take a pool from each other again and again do so ever more
// rarely: each change of hands may cost what one of them was doing.
#pragma once

#include <chrono>

namespace famfs::controller {

/// For use by one thread at a time.
class ReopenPause {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::seconds kFirst{1};
  static constexpr std::chrono::minutes kLongest{5};
  /// A pool that stood so long counts as never overtaken before.
  static constexpr std::chrono::minutes kSettled{30};

  void Opened(Clock::time_point now) { opened_ = now; }
  /// The pause begins.
  void Overtaken(Clock::time_point now);
  [[nodiscard]] bool IsOver(Clock::time_point now) const { return now >= end_; }
  [[nodiscard]] std::chrono::seconds length() const { return length_; }

 private:
  Clock::time_point opened_{};
  Clock::time_point end_{};
  std::chrono::seconds length_{0};
};

}  // namespace famfs::controller
