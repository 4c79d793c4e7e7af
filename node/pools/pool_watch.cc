#include "node/pools/pool_watch.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread.h"

namespace famfs::node {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWatchPause{250};
constexpr milliseconds kLongestWatchPause{5'000};
// At the end; what takes longer is left behind.
constexpr milliseconds kWatchEndPatience{1'000};

absl::Status Guarded(const PoolWatch::Look& look, bool asked) {
  try {
    return look(asked);
  } catch (const std::exception& error) {
    return Internal("an unexpected failure of the driver: {}", error.what());
  }
}

}  // namespace

struct PoolWatch::State {
  State(std::string name, Look way)
      : pool(std::move(name)), look(std::move(way)) {}
  [[nodiscard]] bool Hangs() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return began.has_value() && Clock::now() - *began > kLookPatience;
  }

  const std::string pool;
  Look look;  // the thread's own

  Mutex mutex;
  CondVar changed;  // wanted, looked, or to end
  /// The last that was given.
  Ticket asked ABSL_GUARDED_BY(mutex) = 0;
  /// Looks up to it have ended.
  Ticket looked ABSL_GUARDED_BY(mutex) = 0;
  /// Of the last look.
  absl::Status outcome ABSL_GUARDED_BY(mutex);
  /// The look under way.
  std::optional<Clock::time_point> began ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;
};

absl::StatusOr<std::unique_ptr<PoolWatch>> PoolWatch::Start(std::string pool,
                                                            Look look) {
  auto state = std::make_shared<State>(std::move(pool), std::move(look));
  auto thread = StartThread([state] { Run(state); });
  if (!thread.ok()) {
    return Annotate(thread.status(), fmt::format("pool {}", state->pool));
  }
  thread->detach();
  return std::unique_ptr<PoolWatch>(new PoolWatch(std::move(state)));
}

void PoolWatch::Stop() {
  const MutexLock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.NotifyAll();
}

PoolWatch::~PoolWatch() {
  Stop();
  const auto end = Clock::now() + kWatchEndPatience;
  const MutexLock lock(state_->mutex);
  while (!state_->ended && state_->changed.WaitUntil(state_->mutex, end)) {
  }
}

void PoolWatch::Run(const std::shared_ptr<State>& state) {
  milliseconds pause = kFirstWatchPause;
  MutexLock lock(state->mutex);
  while (!state->stopping) {
    const Ticket ticket = state->asked;
    state->began = Clock::now();
    const bool asked = ticket != state->looked;
    lock.Unlock();
    const absl::Status outcome = Guarded(state->look, asked);
    lock.Lock();
    state->looked = ticket;
    state->outcome = outcome;
    state->began.reset();
    state->changed.NotifyAll();
    pause = outcome.ok() ? kFirstWatchPause
                         : std::min(pause * 2, kLongestWatchPause);
    const auto next = Clock::now() + pause;
    while (!state->stopping && state->asked == state->looked &&
           state->changed.WaitUntil(state->mutex, next)) {
    }
  }
  // Here, and not in whoever is left holding the state.
  Look look = std::move(state->look);
  lock.Unlock();
  look = nullptr;
  lock.Lock();
  state->ended = true;
  state->changed.NotifyAll();
}

PoolWatch::Ticket PoolWatch::Ask() {
  const MutexLock lock(state_->mutex);
  state_->changed.NotifyAll();
  return ++state_->asked;
}

absl::Status PoolWatch::Await(Ticket ticket, Clock::time_point end) {
  const MutexLock lock(state_->mutex);
  if (state_->Hangs()) end = Clock::now();
  while (state_->looked < ticket && !state_->stopping &&
         state_->changed.WaitUntil(state_->mutex, end)) {
  }
  if (state_->looked >= ticket) return state_->outcome;
  if (state_->stopping) {
    return Unavailable("pool {}: the plugin ends", state_->pool);
  }
  return Unavailable(
      "pool {}: its device, or what that lies on, does not "
      "answer on this node; "
      "mend that, no restart is needed",
      state_->pool);
}

bool PoolWatch::AwaitUntil(const std::function<bool()>& done,
                           Clock::time_point end) {
  const MutexLock lock(state_->mutex);
  while (!done() && !state_->stopping &&
         state_->changed.WaitUntil(state_->mutex, end)) {
  }
  return done();
}

}  // namespace famfs::node
