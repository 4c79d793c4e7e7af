#include "node/mounts/questions.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/thread.h"

namespace famfs::node {
namespace {

// A healthy server answers in microseconds, so a few are enough for any number
// of callers; of a server that hangs they are all that is lost.
constexpr int kMaxHelpers = 16;

}  // namespace

struct Questions::Item {
  std::string question;
  Work work;
  bool begun = false;
  bool overdue = false;
  std::size_t askers = 0;
  std::optional<Result> result;
  std::condition_variable changed;  // answered, or all is stopped
};

struct Questions::State {
  mutable std::mutex mutex;  // of all below, and of every Item
  std::map<std::string, std::shared_ptr<Item>> open;  // not answered yet
  std::deque<std::shared_ptr<Item>> queue;            // of them: not begun
  int helpers = 0;
  bool stopped = false;
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

// A helper's life: as long as there is something to ask.
void Questions::Help(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (!state->queue.empty()) {
    const std::shared_ptr<Item> item = std::move(state->queue.front());
    state->queue.pop_front();
    item->begun = true;
    lock.unlock();
    absl::StatusOr<Answer> answer = Guarded(item->work);
    lock.lock();
    state->open.erase(item->question);
    if (answer.ok()) {
      item->result = std::make_shared<const Answer>(*std::move(answer));
    } else {
      item->result = answer.status();
    }
    item->changed.notify_all();
  }
  --state->helpers;
}

// The question under way, or a new one.
std::shared_ptr<Questions::Item> Questions::Open(const std::string& question,
                                                 Work work) {
  std::shared_ptr<Item>& item = state_->open[question];
  if (item != nullptr) return item;
  item = std::make_shared<Item>();
  item->question = question;
  item->work = std::move(work);
  state_->queue.push_back(item);
  if (state_->helpers < kMaxHelpers) {
    // Where there is no thread now, the helpers there are come to it, or its
    // time runs out.
    if (auto helper = StartThread([state = state_] { Help(state); });
        helper.ok()) {
      helper->detach();
      ++state_->helpers;
    }
  }
  return item;
}

Questions::Result Questions::Ask(const std::string& question,
                                 std::chrono::milliseconds limit, Work work) {
  std::unique_lock lock(state_->mutex);
  if (state_->stopped) return Unavailable("{}: the plugin ends", question);
  const std::shared_ptr<Item> item = Open(question, std::move(work));
  ++item->askers;
  item->changed.wait_for(
      lock, limit, [&] { return item->result.has_value() || state_->stopped; });
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
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  for (const auto& [question, item] : state_->open) item->changed.notify_all();
}

bool Questions::stopped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stopped;
}

std::size_t Questions::overdue() const {
  const std::lock_guard lock(state_->mutex);
  std::size_t count = 0;
  for (const auto& [question, item] : state_->open) {
    if (item->overdue) ++count;
  }
  return count;
}

std::size_t Questions::waiting() const {
  const std::lock_guard lock(state_->mutex);
  std::size_t count = 0;
  for (const auto& [question, item] : state_->open) count += item->askers;
  return count;
}

}  // namespace famfs::node
