#include "tools/common/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/thread.h"

namespace famfs {

absl::Status RunParallel(unsigned threads, std::size_t count,
                         const std::function<absl::Status(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;  // first
  absl::Status first;
  const auto worker = [&] {
    for (;;) {
      const std::size_t index = next.fetch_add(1);
      if (index >= count) return;
      const absl::Status status = work(index);
      if (status.ok()) continue;
      const std::lock_guard lock(mutex);
      if (first.ok()) first = status;
      next.store(count);
    }
  };
  const std::size_t wanted =
      std::clamp<std::size_t>(count, 1, std::max(1U, threads));
  {
    const Helpers others(wanted - 1, worker);
    worker();
  }
  return first;
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
