// A progress bar on stderr, for a person: nothing is drawn when stderr is not a
// terminal, so logs and pipes stay clean.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "instance/check/transfer.h"

namespace famfs {

class ProgressBar {
 public:
  /// `label` begins the line. Draws nothing yet.
  explicit ProgressBar(std::string label);
  /// Ends the line that was drawn.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Bytes done of all; draws at most ten times a second, and the last one.
  void Update(std::uint64_t done, std::uint64_t total);
  /// For ExportImage and ImportImage; must not outlive the bar.
  [[nodiscard]] Progress Callback();

 private:
  using Clock = std::chrono::steady_clock;

  const std::string label_;
  const bool visible_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_at_;
  bool drawn_ = false;
};

}  // namespace famfs
