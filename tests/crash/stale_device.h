// The shared memory as a reader on another host sees it: through a cache of its
// own that nobody keeps coherent. A line that it has read stays as it was until
// it is invalidated, or until the cache drops it by itself, which it may do at
// any time; so any line may be of any age. The other host writes meanwhile:
// each invalidation gives it a chance to go on, between any two lines.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dax/device.h"
#include "tests/crash/medium.h"

namespace famfs::crash {

class StaleCache {
 public:
  /// `medium`: what all hosts share. Both outlive the devices on it.
  StaleCache(const crash::Medium& medium, std::uint64_t seed);
  ~StaleCache();
  StaleCache(const StaleCache&) = delete;
  StaleCache& operator=(const StaleCache&) = delete;

  /// Called before lines are fetched again; null: nothing goes on meanwhile.
  void OnFetch(std::function<void()> go_on) { go_on_ = std::move(go_on); }
  /// A mutation of the reader: ranges for which it is true are not invalidated.
  void LeaveOut(std::function<bool(Range)> left_out) {
    left_out_ = std::move(left_out);
  }

  void Invalidate(Range range);
  /// Lines that were never in the cache are fetched, so that loads find them.
  void Load(Range range);
  /// The cache drops a few lines, and reads them again.
  void DropSome();

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] const crash::Medium& medium() const { return medium_; }

 private:
  void Fetch(std::uint64_t line);

  const crash::Medium& medium_;
  std::mt19937_64 random_;
  std::byte* data_;
  std::vector<bool> cached_;  // by line
  std::vector<std::uint64_t>
      lines_;  // that were invalidated once, for DropSome
  std::function<void()> go_on_;
  std::function<bool(Range)> left_out_;
};

/// A reader's device on it.
std::shared_ptr<DaxDevice> MakeStaleDevice(StaleCache& cache);

}  // namespace famfs::crash
