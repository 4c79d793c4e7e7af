#include "dax/scrub.h"

#include <algorithm>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"

namespace famfs {
namespace {

constexpr unsigned kMostThreads = 4;

/// The chunks of a scrub, handed to whichever thread asks.
class Chunks {
 public:
  Chunks(std::vector<Range> ranges, const ScrubOptions& options)
      : options_(options), ranges_(std::move(ranges)) {}

  /// False when there is none left, or the scrub is to end.
  bool Next(Range& chunk) {
    const MutexLock lock(mutex_);
    while (at_ < ranges_.size() && ranges_[at_].length == 0) ++at_;
    if (!status_.ok() || at_ == ranges_.size()) return false;
    if (options_.step) status_ = options_.step(given_);
    if (!status_.ok()) return false;
    Range& range = ranges_[at_];
    chunk = {range.offset, std::min(range.length, options_.chunk)};
    range = {range.offset + chunk.length, range.length - chunk.length};
    given_ += chunk.length;
    return true;
  }
  /// Ends the scrub.
  void Fail(absl::Status status) {
    const MutexLock lock(mutex_);
    if (status_.ok()) status_ = std::move(status);
  }
  [[nodiscard]] absl::Status status() const {
    const MutexLock lock(mutex_);
    return status_;
  }

 private:
  const ScrubOptions& options_;
  mutable Mutex mutex_;
  std::vector<Range> ranges_ ABSL_GUARDED_BY(mutex_);
  std::size_t at_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t given_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status Scrub(DaxDevice& device, Range range,
                   const ScrubOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(
      const auto mapping,
      device.Map(range.offset, range.length, Access::kReadWrite));
  FAMFS_ASSIGN_OR_RETURN(std::vector<Range> data, device.DataIn(range));
  Chunks chunks(std::move(data), options);
  const auto work = [&] {
    Range chunk;
    while (chunks.Next(chunk)) {
      mapping->ZeroStreaming(chunk.offset - range.offset, chunk.length);
      if (mapping->lost()) chunks.Fail(mapping->Check());
    }
  };
  const unsigned threads =
      options.threads != 0
          ? options.threads
          : std::clamp(std::thread::hardware_concurrency(), 2U, kMostThreads);
  const std::uint64_t most = range.length / options.chunk;
  {
    const Helpers helpers(std::min<std::uint64_t>(threads - 1, most), work);
    work();
  }
  return chunks.status();
}

}  // namespace famfs
