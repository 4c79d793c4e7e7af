// What all threads of the soak share: the seed, what was counted, what went
// wrong first, and what each life did last.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <string>

#include "base/status.h"

namespace famfs::soak {

using Random = std::mt19937_64;
using std::chrono::milliseconds;

/// How long a step is tried again before it has failed: longer than anything
/// that a kill makes wait.
inline constexpr milliseconds kStepPatience{60'000};

/// In [low, high].
std::uint64_t Between(Random& random, std::uint64_t low, std::uint64_t high);
/// True in so many of a hundred cases.
bool Chance(Random& random, unsigned percent);

/// Thread-safe.
class Progress {
 public:
  explicit Progress(std::uint64_t seed) : seed_(seed) {}

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  /// The first failure counts; the others follow from it, as a rule.
  void Fail(const std::string& what);
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::string failure() const;

  /// Before a server is killed.
  void NoteServerKill() { server_kill_ = std::chrono::steady_clock::now(); }
  /// Whether one was within the last `time`.
  [[nodiscard]] bool ServerWasKilledWithin(milliseconds time) const {
    return std::chrono::steady_clock::now() - server_kill_.load() <= time;
  }

  /// Lets a moment pass before something is tried again. False: it is not to
  /// be, since something else has failed.
  bool Pause(milliseconds time) const;

  std::atomic<std::uint64_t> lives = 0;
  std::atomic<std::uint64_t> kills = 0;
  std::atomic<std::uint64_t> calls = 0;     // that were answered OK
  std::atomic<std::uint64_t> retries = 0;   // calls that were not
  std::atomic<std::uint64_t> reopened = 0;  // files, after a server's death
  std::atomic<std::uint64_t> bytes = 0;     // compared

 private:
  const std::uint64_t seed_;
  std::atomic<std::chrono::steady_clock::time_point> server_kill_{};
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;
  std::string failure_;
};

/// What is said when a step ends because another one has failed.
absl::Status AnotherHasFailed();

/// The last steps of one thread's lives. Thread-safe.
class Diary {
 public:
  template <typename... Args>
  void Note(fmt::format_string<Args...> format, Args&&... args) {
    Add(fmt::format(format, std::forward<Args>(args)...));
  }
  /// A line a step, with the time.
  [[nodiscard]] std::string Text() const;

 private:
  void Add(std::string line);

  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
};

}  // namespace famfs::soak
