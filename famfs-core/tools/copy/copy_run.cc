#include "tools/copy/copy_run.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/mutex.h"
#include "instance/devices/identity.h"
#include "tools/common/parallel.h"
#include "tools/common/progress.h"

namespace famfs {
namespace {

constexpr std::uint64_t kPart = 64ULL << 20;  // bytes that a thread takes

struct Part {
  std::size_t file = 0;
  std::uint64_t at = 0;  // bytes
};

bool EndsAll(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsAborted(status) ||
         absl::IsDataLoss(status) || absl::IsInternal(status) ||
         IsReplaced(status) || absl::IsCancelled(status);
}

class Run {
 public:
  Run(std::vector<std::unique_ptr<FileCopy>> files, const std::string& label)
      : bar_(label) {
    for (auto& file : files) {
      auto state = std::make_unique<State>();
      state->size = file->size();
      state->copy = std::move(file);
      // An empty file has one part, too: somebody has to begin it.
      for (std::uint64_t at = 0; at == 0 || at < state->size; at += kPart) {
        parts_.push_back({.file = states_.size(), .at = at});
        ++state->parts_left;
      }
      total_ += state->size;
      states_.push_back(std::move(state));
    }
  }

  CopyResult Go(unsigned threads) {
    IgnoreError(RunParallel(threads, parts_.size(),
                            [this](std::size_t index) {
                              Do(parts_[index]);
                              return absl::OkStatus();
                            }),
                "each file has its own verdict");
    const MutexLock lock(mutex_);
    return std::move(result_);
  }

 private:
  enum class Phase { kNew, kCopying, kSkipped, kFailed };
  struct State {
    std::uint64_t size = 0;
    Mutex mutex;
    /// Its Copy is called without the mutex.
    std::unique_ptr<FileCopy> copy ABSL_GUARDED_BY(mutex);
    std::uint64_t parts_left ABSL_GUARDED_BY(mutex) = 0;
    Phase phase ABSL_GUARDED_BY(mutex) = Phase::kNew;
  };

  void Do(const Part& part) {
    State& state = *states_[part.file];
    const std::uint64_t length = std::min(kPart, state.size - part.at);
    FileCopy* copy = nullptr;
    {
      const MutexLock lock(state.mutex);
      if (state.phase == Phase::kNew) Begin(state);
      if (state.phase == Phase::kCopying) copy = state.copy.get();
    }
    absl::Status status;
    if (copy != nullptr) {
      status = copy->Copy(part.at, length,
                          [this](std::uint64_t bytes) { Advance(bytes); });
    }
    const MutexLock lock(state.mutex);
    if (!status.ok()) Fail(state, status);
    if (--state.parts_left == 0) End(state);
  }

  void Begin(State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
    if (ended_) {
      state.phase = Phase::kFailed;
      const MutexLock lock(mutex_);
      ++result_.not_begun;
      return;
    }
    const absl::StatusOr<bool> begun = state.copy->Begin();
    if (!begun.ok()) {
      Fail(state, begun.status());
    } else if (*begun) {
      state.phase = Phase::kCopying;
    } else {
      state.phase = Phase::kSkipped;
      Advance(state.size);
    }
  }

  void Fail(State& state, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
    if (state.phase == Phase::kFailed) return;  // told already
    state.phase = Phase::kFailed;
    if (EndsAll(status)) ended_ = true;
    const MutexLock lock(mutex_);
    result_.problems.push_back(status);
  }

  /// The last part of a file is done.
  void End(State& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
    if (state.phase == Phase::kCopying) {
      const absl::Status status = state.copy->Finish();
      if (!status.ok()) Fail(state, status);
    }
    state.copy.reset();
    const MutexLock lock(mutex_);
    if (state.phase == Phase::kCopying) {
      ++result_.copied;
      result_.copied_bytes += state.size;
    } else if (state.phase == Phase::kSkipped) {
      ++result_.skipped;
    }
  }

  void Advance(std::uint64_t bytes) {
    const MutexLock lock(mutex_);
    bar_.Update(done_ += bytes, total_);
  }

  std::vector<std::unique_ptr<State>> states_;
  std::vector<Part> parts_;
  std::uint64_t total_ = 0;
  std::atomic<bool> ended_{false};
  Mutex mutex_;  // taken after a state's
  ProgressBar bar_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  CopyResult result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

CopyResult RunCopies(std::vector<std::unique_ptr<FileCopy>> files,
                     unsigned threads, const std::string& label) {
  return Run(std::move(files), label).Go(threads);
}

}  // namespace famfs
