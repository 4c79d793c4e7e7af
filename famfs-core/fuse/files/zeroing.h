// Zeroing of large ranges, beside the threads that answer the kernel: it takes
// a second for some gigabytes, and nobody else waits for that.
//
// One thread does it, a slice of each request in turn, so that a small one does
// not wait for all of a large one before it. A request goes on when its zeros
// are there.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "base/range.h"
#include "base/status.h"
#include "fuse/files/open_inodes.h"
#include "fuse/kernel/low_level.h"

namespace famfs {

class Zeroing {
 public:
  /// What is not larger costs no more than handing it over.
  static constexpr std::uint64_t kSlice = 8ULL << 20;  // bytes
  /// Zeroes a part of an open file; 0 or the errno. In this object's thread.
  using ZeroPart = std::function<int(OpenInode& file, Range part)>;
  /// Zeroes a slice of something; nullopt: more is left. In that thread.
  using Step = std::function<std::optional<int>()>;
  using Then = std::function<void(int error)>;

  explicit Zeroing(ZeroPart zero_part) : zero_part_(std::move(zero_part)) {}
  ~Zeroing() { Stop(); }
  Zeroing(const Zeroing&) = delete;
  Zeroing& operator=(const Zeroing&) = delete;

  /// Before the first Add. Unavailable: no thread is to be had.
  [[nodiscard]] absl::Status Start();
  /// Answers `request` when `range` of the file is zero, or with the first
  /// error; EINTR when the caller was interrupted meanwhile, or the server
  /// ends, and then any part of it may be zero. EAGAIN at once when there are
  /// too many already.
  void Add(fuse_req_t request, std::shared_ptr<OpenInode> file, Range range);
  /// The same, but `then` is called, once, instead of answering; it must not
  /// block.
  void Add(fuse_req_t request, std::shared_ptr<OpenInode> file, Range range,
           Then then);
  /// The same for what `step` does until it ends.
  void Add(fuse_req_t request, Step step, Then then);
  /// Answers all that is left. Nothing is added any more.
  void Stop();

 private:
  struct Job {
    fuse_req_t request;
    Step step;
    Then then;
  };
  // Each waiting request has a caller that is blocked: so many are no program's
  // way of clearing its files.
  static constexpr std::size_t kMostJobs = 1024;

  void Run();
  /// Zeroes the next slice; true: that was all.
  [[nodiscard]] static bool Go(const Job& job);

  const ZeroPart zero_part_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace famfs
