#include "base/thread.h"

#include <new>
#include <system_error>
#include <utility>

namespace famfs {

absl::StatusOr<std::thread> StartThread(std::function<void()> body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& error) {
    return Unavailable(
        "a thread cannot be started ({}); raise the limit of processes and "
        "threads (ulimit -u, the pids of the cgroup), or end some",
        error.code().message());
  } catch (const std::bad_alloc&) {
    return Unavailable("a thread cannot be started: there is no memory for it");
  }
}

Helpers::Helpers(std::size_t count, const std::function<void()>& body) {
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto thread = StartThread(body);
    if (!thread.ok()) break;
    threads_.push_back(*std::move(thread));
  }
}

Helpers::~Helpers() {
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace famfs
