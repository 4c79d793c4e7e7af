#include "node/mounts/questions.h"

#include <deque>
#include <exception>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread.h"

namespace famfs::node {
namespace {

// A healthy server answers in microseconds, so a few are enough for any number
// of callers; of a server that hangs they are all that is lost.
constexpr int kMaxHelpers = 16;

}  // namespace

// Under the mutex of the State whose question it is.
struct Questions::Item {
  std::string question;
  Work work;
  bool begun = false;
  bool overdue = false;
  std::size_t askers = 0;
  std::optional<Result> result;
  CondVar changed;  // answered, or all is stopped
};

struct Questions::State : public std::enable_shared_from_this<State> {
  /// A helper's life: as long as there is something to ask.
  void Help();
  /// The question under way, or a new one.
  std::shared_ptr<Item> Open(const std::string& question, Work work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  mutable Mutex mutex;
  /// Not answered yet.
  std::map<std::string, std::shared_ptr<Item>> open ABSL_GUARDED_BY(mutex);
  /// Of them: not begun.
  std::deque<std::shared_ptr<Item>> queue ABSL_GUARDED_BY(mutex);
  int helpers ABSL_GUARDED_BY(mutex) = 0;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
};

Questions::Questions(std::string whom, std::string advice)
    : whom_(std::move(whom)),
      advice_(std::move(advice)),
      state_(std::make_shared<State>()) {}

Questions::~Questions() { Stop(); }

// Nobody is above it to catch anything.
absl::StatusOr<Questions::Answer> Questions::Guarded(const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return Internal("an unexpected failure of the driver: {}", error.what());
  }
}

void Questions::State::Help() {
  MutexLock lock(mutex);
  while (!queue.empty()) {
    const std::shared_ptr<Item> item = std::move(queue.front());
    queue.pop_front();
    item->begun = true;
    lock.Unlock();
    absl::StatusOr<Answer> answer = Guarded(item->work);
    lock.Lock();
    open.erase(item->question);
    if (answer.ok()) {
      item->result = std::make_shared<const Answer>(*std::move(answer));
    } else {
      item->result = answer.status();
    }
    item->changed.NotifyAll();
  }
  --helpers;
}

std::shared_ptr<Questions::Item> Questions::State::Open(
    const std::string& question, Work work) {
  std::shared_ptr<Item>& item = open[question];
  if (item != nullptr) return item;
  item = std::make_shared<Item>();
  item->question = question;
  item->work = std::move(work);
  queue.push_back(item);
  if (helpers < kMaxHelpers) {
    // Where there is no thread now, the helpers there are come to it, or its
    // time runs out.
    if (auto helper =
            StartThread([state = shared_from_this()] { state->Help(); });
        helper.ok()) {
      helper->detach();
      ++helpers;
    }
  }
  return item;
}

Questions::Result Questions::Ask(const std::string& question,
                                 std::chrono::milliseconds limit, Work work) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const MutexLock lock(state_->mutex);
  if (state_->stopped) return Unavailable("{}: the plugin ends", question);
  const std::shared_ptr<Item> item = state_->Open(question, std::move(work));
  ++item->askers;
  while (!item->result.has_value() && !state_->stopped &&
         item->changed.WaitUntil(state_->mutex, end)) {
  }
  --item->askers;
  if (item->result.has_value()) return *item->result;
  if (item->begun) {
    item->overdue = true;
  } else if (item->askers == 0) {
    std::erase(state_->queue, item);
    state_->open.erase(question);
  }
  if (state_->stopped) return Unavailable("{}: the plugin ends", question);
  return Unavailable(
      "{}: {} did not answer within {} s; {}", question, whom_,
      std::chrono::duration_cast<std::chrono::seconds>(limit).count(), advice_);
}

void Questions::Stop() {
  const MutexLock lock(state_->mutex);
  state_->stopped = true;
  for (const auto& [question, item] : state_->open) item->changed.NotifyAll();
}

bool Questions::stopped() const {
  const MutexLock lock(state_->mutex);
  return state_->stopped;
}

std::size_t Questions::overdue() const {
  const MutexLock lock(state_->mutex);
  std::size_t count = 0;
  for (const auto& [question, item] : state_->open) {
    if (item->overdue) ++count;
  }
  return count;
}

std::size_t Questions::waiting() const {
  const MutexLock lock(state_->mutex);
  std::size_t count = 0;
  for (const auto& [question, item] : state_->open) count += item->askers;
  return count;
}

}  // namespace famfs::node
