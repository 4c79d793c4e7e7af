#include "fuse/operations/asking.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <utility>

#include "base/text.h"
#include "base/thread.h"
#include "fuse/operations/ops.h"

namespace famfs {
namespace {

// What stands in the log is seen by the first look; only a compaction under way
// can hide it for a moment.
constexpr int kMostLooks = 64;
constexpr int kThreads = 3;
// Each has a caller that is blocked; what they hold is kilobytes.
constexpr std::size_t kMostWaits = 16'384;

}  // namespace

void Asking::Start() {
  for (int i = 0; i < kThreads; ++i) {
    absl::StatusOr<std::thread> thread = StartThread([this] { Run(); });
    if (!thread.ok()) {
      spdlog::warn("{} of {} threads go on with what the owner answers: {}", i,
                   kThreads, Message(thread.status()));
      break;
    }
    threads_.push_back(*std::move(thread));
  }
  const MutexLock lock(mutex_);
  has_threads_ = !threads_.empty();
}

void Asking::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Asking::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (!stopping_ && answered_.empty()) wake_.Wait(mutex_);
    if (answered_.empty()) return;
    const Answered next = std::move(answered_.front());
    answered_.pop_front();
    lock.Unlock();
    GoOn(next.answer, next.then);
    lock.Lock();
  }
}

void Asking::Ask(fuse_req_t request, TreeRequest change, Then then) {
  std::uint64_t token = 0;
  {
    const MutexLock lock(mutex_);
    if (request == nullptr || waits_.size() < kMostWaits) {
      token = ++last_token_;
      waits_[token] = {};
    }
  }
  if (token == 0) {
    then({.error = ENOMEM});
    return;
  }
  // Before it is asked: afterwards the request may be answered and gone.
  if (request != nullptr) {
    // libfuse hands it back, and nobody follows it.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    auto* const handed = reinterpret_cast<void*>(token);
    fuse_req_interrupt_func(request, &Asking::Interrupted, handed);
  }
  const Owner::Id id = owner_.Ask(
      std::move(change),
      [this, token, request, then = std::move(then)](const TreeAnswer& answer) {
        Finish(token, request, answer, then);
      });
  bool forget = false;
  {
    const MutexLock lock(mutex_);
    if (const auto found = waits_.find(token); found != waits_.end()) {
      found->second.id = id;
      forget = found->second.is_forgotten;
    }
  }
  if (forget) owner_.Forget(id);
}

void Asking::Interrupted(fuse_req_t request, void* token) {
  Service::Of(request).asking.load()->Forget(
      reinterpret_cast<std::uintptr_t>(token));
}

void Asking::Forget(std::uint64_t token) {
  Owner::Id id = 0;
  {
    const MutexLock lock(mutex_);
    const auto found = waits_.find(token);
    if (found == waits_.end()) return;
    found->second.is_forgotten = true;
    id = found->second.id;
  }
  if (id != 0) owner_.Forget(id);
}

void Asking::Finish(std::uint64_t token, fuse_req_t request, TreeAnswer answer,
                    Then then) {
  if (request != nullptr) fuse_req_interrupt_func(request, nullptr, nullptr);
  {
    const MutexLock lock(mutex_);
    waits_.erase(token);
    if (has_threads_ && !stopping_) {
      answered_.push_back({answer, std::exchange(then, nullptr)});
    }
  }
  if (then != nullptr) {
    GoOn(answer, then);
  } else {
    wake_.NotifyOne();
  }
}

void Asking::GoOn(TreeAnswer answer, const Then& then) {
  if (answer.error == 0) answer.error = CatchUpTo(answer);
  then(answer);
}

int Asking::CatchUpTo(const TreeAnswer& answer) {
  for (int look = 0; look < kMostLooks; ++look) {
    if (reader_.Shows(answer.generation, answer.entries)) return 0;
    if (const absl::Status seen = follower_.CatchUp(); !seen.ok()) {
      return IsReplaced(seen) ? ESTALE : EIO;  // it was logged
    }
  }
  if (reader_.Shows(answer.generation, answer.entries)) return 0;
  spdlog::error(
      "the owner answers that the log has {} entries (generation {}), which "
      "are not seen here",
      answer.entries, answer.generation);
  return EIO;
}

}  // namespace famfs
