// Crashes a recorded history at each of its events, and judges what is left.
//
// A crash that leaves the bytes of an earlier one, where the same is expected,
// is counted and not judged again: most do.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/crash/verdict.h"

namespace famfs::crash {

struct ExplorerOptions {
  std::string lock_directory;
  /// Random subsets of lines at each point, beside all and none.
  std::uint64_t subsets = 2;
  /// One of so many is judged thoroughly; all those that lose nothing or
  /// everything are, too, when `thorough_ends`.
  std::uint64_t thorough_every = 8;
  /// In one of so many judged crashes the recovery is crashed as well, at each
  /// of its events; 0: none.
  std::uint64_t recovery_every = 0;
  std::size_t enough = 20;  // problems, then it stops
  std::uint64_t seed = 1;
};

struct Counts {
  std::uint64_t points = 0;      // events at which a crash happened
  std::uint64_t crashes = 0;     // with each fate
  std::uint64_t judged = 0;      // that left something new
  std::uint64_t recoveries = 0;  // crashes within recoveries
  std::uint64_t taken_over = 0;  // also judged as another host finds it
};

class Explorer {
 public:
  explicit Explorer(ExplorerOptions options) : options_(std::move(options)) {}

  /// Crashes at each event of the steps [first, steps.size()), in all fates.
  /// `medium` holds what is durable before the history's first event, and does
  /// so again afterwards.
  void Explore(Medium& medium, const History& history, std::size_t first);

  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Each with its place.
  [[nodiscard]] const std::vector<std::string>& problems() const {
    return problems_;
  }
  [[nodiscard]] bool Enough() const {
    return problems_.size() >= options_.enough;
  }

 private:
  void CrashAt(Medium& medium, CrashSite& site, const Event* next,
               const Expected& expected, const std::string& place);
  void Examine(Medium& medium, const Expected& expected,
               const std::string& place, std::uint64_t key);
  void ExamineRecovery(Medium& medium, const Expected& expected,
                       const std::string& place);
  void Keep(const std::vector<std::string>& problems, const std::string& place);

  ExplorerOptions options_;
  Counts counts_;
  std::vector<std::string> problems_;
  absl::flat_hash_set<std::uint64_t> seen_;
};

}  // namespace famfs::crash
