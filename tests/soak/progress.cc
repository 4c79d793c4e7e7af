#include "tests/soak/progress.h"

#include <fmt/chrono.h>

#include <utility>

#include "tests/integration/support/wait.h"

namespace famfs::soak {
namespace {

constexpr std::size_t kKeptLines = 60;

// As the daemons' logs have it.
std::string Now() {
  const auto now = std::chrono::time_point_cast<milliseconds>(
      std::chrono::system_clock::now());
  return fmt::format("{:%T}", now.time_since_epoch() % std::chrono::days(1));
}

}  // namespace

std::uint64_t Between(Random& random, std::uint64_t low, std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>(low, high)(random);
}

bool Chance(Random& random, unsigned percent) {
  return Between(random, 0, 99) < percent;
}

void Progress::Fail(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) return;
  failure_ = fmt::format("{} {}", Now(), what);
  failed_ = true;
}

std::string Progress::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

bool Progress::Pause(milliseconds time) const {
  const rig::Deadline deadline(time);
  while (!deadline.Passed() && !failed_) {
    rig::PollFd(-1, 0, deadline, milliseconds(100));
  }
  return !failed_;
}

absl::Status AnotherHasFailed() {
  return absl::CancelledError("another life has failed");
}

void Diary::Add(std::string line) {
  const std::lock_guard lock(mutex_);
  lines_.push_back(fmt::format("{} {}", Now(), line));
  if (lines_.size() > kKeptLines) lines_.pop_front();
}

std::string Diary::Text() const {
  const std::lock_guard lock(mutex_);
  return fmt::format("  {}\n", fmt::join(lines_, "\n  "));
}

}  // namespace famfs::soak
