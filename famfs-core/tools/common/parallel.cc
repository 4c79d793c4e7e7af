#include "tools/common/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "base/thread.h"

namespace famfs {
namespace {

/// The first error of several threads.
class FirstError {
 public:
  void Add(const absl::Status& error) {
    const MutexLock lock(mutex_);
    if (first_.ok()) first_ = error;
  }
  [[nodiscard]] absl::Status Get() const {
    const MutexLock lock(mutex_);
    return first_;
  }

 private:
  mutable Mutex mutex_;
  absl::Status first_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status RunParallel(unsigned threads, std::size_t count,
                         const std::function<absl::Status(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  FirstError error;
  const auto worker = [&] {
    for (;;) {
      const std::size_t index = next.fetch_add(1);
      if (index >= count) return;
      const absl::Status status = work(index);
      if (status.ok()) continue;
      error.Add(status);
      next.store(count);
    }
  };
  const std::size_t wanted =
      std::clamp<std::size_t>(count, 1, std::max(1U, threads));
  {
    const Helpers others(wanted - 1, worker);
    worker();
  }
  return error.Get();
}

void AddThreads(Command* command, unsigned& threads) {
  threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
  command
      ->add_option("-t,--threads", threads,
                   "How many work at once. Default: one for each processor, at "
                   "most 8")
      ->within(1, 256)
      ->type_name("N");
}

}  // namespace famfs
