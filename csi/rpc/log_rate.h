// Keeps lines that strangers can cause from filling the log.
//
//   if (const auto held_back = rate.Pass()) {
//     spdlog::warn("refused a connection{}", LogRate::Told(*held_back));
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/mutex.h"

namespace famfs::csi {

/// Thread-safe.
class LogRate {
 public:
  /// `burst` lines at once, then one for each `pause`.
  LogRate(int burst, std::chrono::milliseconds pause)
      : burst_(burst), pause_(pause), left_(burst) {}

  /// nullopt: hold the line back. Else how many were held back since the last
  /// one that passed.
  std::optional<std::uint64_t> Pass();

  /// "", or " (and 17 more like it)".
  static std::string Told(std::uint64_t held_back);

 private:
  using Clock = std::chrono::steady_clock;
  const int burst_;
  const std::chrono::milliseconds pause_;
  Mutex mutex_;
  int left_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point since_ ABSL_GUARDED_BY(mutex_) = Clock::now();
  std::uint64_t held_back_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace famfs::csi
