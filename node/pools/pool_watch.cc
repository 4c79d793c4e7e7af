#include "node/pools/pool_watch.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "base/thread.h"

namespace famfs::node {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{250};
constexpr milliseconds kLongestPause{5'000};
// At the end; what takes longer is left behind.
constexpr milliseconds kEndPatience{1'000};

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
  [[nodiscard]] bool Hangs() const {
    return began.has_value() && Clock::now() - *began > kLookPatience;
  }

  const std::string pool;
  Look look;

  std::mutex mutex;                        // all below
  std::condition_variable changed;         // wanted, looked, or to end
  Ticket asked = 0;                        // the last that was given
  Ticket looked = 0;                       // looks up to it have ended
  absl::Status outcome;                    // of the last look
  std::optional<Clock::time_point> began;  // the look under way
  bool stopping = false;
  bool ended = false;
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
  const std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
}

PoolWatch::~PoolWatch() {
  Stop();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, kEndPatience, [&] { return state_->ended; });
}

void PoolWatch::Run(const std::shared_ptr<State>& state) {
  milliseconds pause = kFirstPause;
  std::unique_lock lock(state->mutex);
  while (!state->stopping) {
    const Ticket ticket = state->asked;
    state->began = Clock::now();
    lock.unlock();
    const absl::Status outcome = Guarded(state->look, ticket != state->looked);
    lock.lock();
    state->looked = ticket;
    state->outcome = outcome;
    state->began.reset();
    state->changed.notify_all();
    pause = outcome.ok() ? kFirstPause : std::min(pause * 2, kLongestPause);
    state->changed.wait_for(lock, pause, [&] {
      return state->stopping || state->asked != state->looked;
    });
  }
  // Here, and not in whoever is left holding the state.
  Look look = std::move(state->look);
  lock.unlock();
  look = nullptr;
  lock.lock();
  state->ended = true;
  state->changed.notify_all();
}

PoolWatch::Ticket PoolWatch::Ask() {
  const std::lock_guard lock(state_->mutex);
  state_->changed.notify_all();
  return ++state_->asked;
}

absl::Status PoolWatch::Await(Ticket ticket, Clock::time_point end) {
  std::unique_lock lock(state_->mutex);
  const auto over = [&] {
    return state_->looked >= ticket || state_->stopping;
  };
  if (state_->Hangs()) end = Clock::now();
  state_->changed.wait_until(lock, end, over);
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
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, end, [&] {
    return done() || state_->stopping;
  }) && done();
}

}  // namespace famfs::node
