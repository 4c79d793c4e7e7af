#include "instance/mailbox/asker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/thread.h"

namespace famfs {
namespace {

/// An owner that listens answers within it.
constexpr std::chrono::microseconds kAskSpin{30};
constexpr std::chrono::microseconds kAskFirstPause{50};
/// How often it is looked whether the request still stands.
constexpr std::chrono::milliseconds kAskMendEvery{100};
/// How often it is looked whether there is a row.
constexpr std::chrono::milliseconds kRowPause{5};
/// Between an answer EAGAIN and the next try, growing.
constexpr std::chrono::milliseconds kFirstRetry{1};
constexpr std::chrono::milliseconds kLastRetry{50};

/// They say "at least so much": what is there is not taken back by another one.
bool MayBeDoneTwice(const TreeRequest& request) {
  return request.op == TreeOp::kExtend || request.op == TreeOp::kSettle;
}

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

Asker::Asker(std::string spec, bool can_sleep_on, Layout layout,
             FindSessionRow find_row, AskerOptions options)
    : spec_(std::move(spec)),
      find_row_(std::move(find_row)),
      options_(options),
      layout_(std::move(layout)),
      outbox_(layout_),
      can_sleep_on_(can_sleep_on),
      request_bell_(layout_.head(), kRequestBellAt, can_sleep_on) {}

absl::StatusOr<std::unique_ptr<Asker>> Asker::Start(DaxDevice& device,
                                                    FindSessionRow find_row,
                                                    AskerOptions options) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  std::unique_ptr<Asker> asker(new Asker(device.spec(), CanSleepOn(device),
                                         std::move(layout), std::move(find_row),
                                         options));
  const MutexLock lock(asker->thread_mutex_);
  FAMFS_ASSIGN_OR_RETURN(asker->thread_,
                         StartThread([asker = asker.get()] { asker->Run(); }));
  return asker;
}

Asker::~Asker() { Stop(); }

Asker::Id Asker::Ask(TreeRequest request, Done done) {
  Waiting asked;
  asked.request = std::move(request);
  asked.done = std::move(done);
  asked.since = asked.not_before = Clock::now();
  bool stopped = false;
  {
    const MutexLock lock(mutex_);
    asked.id = ++last_id_;
    stopped = stopping_;
    if (!stopped) queue_.push_back(std::move(asked));
  }
  if (stopped) {
    asked.done({.error = ENOTCONN});
    return asked.id;
  }
  changed_.NotifyAll();
  return asked.id;
}

void Asker::Forget(Id id) {
  const auto now = Clock::now();
  {
    const MutexLock lock(mutex_);
    if (current_ && current_->id == id && !current_->forgotten) {
      current_->forgotten = now;
    }
    for (Waiting& asked : queue_) {
      if (asked.id == id) asked.forgotten = now;
    }
  }
  Wake();
}

void Asker::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  const MutexLock lock(thread_mutex_);
  if (thread_.joinable()) thread_.join();
}

void Asker::Wake() {
  std::size_t row = kHostRows;
  {
    const MutexLock lock(mutex_);
    if (current_) row = current_->row;
  }
  changed_.NotifyAll();
  if (row < kHostRows) {
    Doorbell(layout_.head(), AnswerBellAt(row), can_sleep_on_).Ring();
  }
}

std::chrono::nanoseconds Asker::oldest_waiting() const {
  const MutexLock lock(mutex_);
  const auto now = Clock::now();
  auto oldest = now;
  if (current_) oldest = std::min(oldest, current_->since);
  for (const Waiting& asked : queue_) oldest = std::min(oldest, asked.since);
  return now - oldest;
}

void Asker::Run() {
  Waiting next;
  while (TakeNext(next)) Serve(next);
  EndAll();
}

bool Asker::TakeNext(Waiting& next) {
  const MutexLock lock(mutex_);
  current_.reset();
  while (!stopping_) {
    const auto now = Clock::now();
    auto wake_at = Clock::time_point::max();
    for (auto it = queue_.begin(); it != queue_.end(); ++it) {
      if (!it->forgotten && it->not_before > now) {
        wake_at = std::min(wake_at, it->not_before);
        continue;
      }
      next = std::move(*it);
      queue_.erase(it);
      current_ = Current{.id = next.id,
                         .row = kHostRows,
                         .since = next.since,
                         .forgotten = next.forgotten};
      return true;
    }
    if (queue_.empty()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitUntil(mutex_, wake_at);
    }
  }
  return false;
}

void Asker::Serve(Waiting& asked) {
  const auto message = EncodeTreeRequest(asked.request);
  if (!message.ok()) {
    return End(asked,
               absl::IsOutOfRange(message.status()) ? ENAMETOOLONG : EINVAL);
  }
  if (!complained_) silent_since_ = Clock::now();
  bool sent = false;  // and it may be done
  while (true) {
    SessionRow place;
    Wait wait = AwaitRow(place);
    TreeAnswer answer;
    if (wait == Wait::kDone) {
      sent = true;
      wait = SendAndAwait(place, *message, answer);
    }
    switch (wait) {
      case Wait::kDone:
        NoteAnswer();
        if (answer.error == EAGAIN) return AskAgain(asked);
        return End(asked, answer);
      case Wait::kNumberSpent:
        sent = false;  // the owner never looked at it
        continue;
      case Wait::kRowChanged:
        if (MayBeDoneTwice(asked.request)) continue;
        return End(asked, EIO);
      case Wait::kForgotten:
        return End(asked, EINTR);
      case Wait::kStopped:
        return End(asked, sent ? EIO : ENOTCONN);
    }
  }
}

Asker::Wait Asker::AwaitRow(SessionRow& place) {
  while (true) {
    if (const Wait wait = Interrupted(false); wait != Wait::kDone) return wait;
    if (const auto found = find_row_(); found && found->row < kHostRows) {
      place = *found;
      return Wait::kDone;
    }
    Complain(false);
    const MutexLock lock(mutex_);
    if (!stopping_) changed_.WaitUntil(mutex_, Clock::now() + kRowPause);
  }
}

Asker::Wait Asker::SendAndAwait(const SessionRow& place,
                                std::span<const std::byte> message,
                                TreeAnswer& answer) {
  {
    const MutexLock lock(mutex_);
    current_->row = place.row;
  }
  const Doorbell answers(layout_.head(), AnswerBellAt(place.row),
                         can_sleep_on_);
  outbox_.Send(place, message);
  request_bell_.Ring();
  const auto spin_until = Clock::now() + kAskSpin;
  auto mend_at = Clock::now() + kAskMendEvery;
  std::chrono::nanoseconds pause = kAskFirstPause;
  while (true) {
    const std::uint32_t rings = answers.rings();
    if (IsAnswered(answer)) return Wait::kDone;
    const auto now = Clock::now();
    if (now < spin_until) continue;
    const Wait wait = LookAround(place, now >= mend_at);
    if (wait != Wait::kDone) {
      // It may have come in the last moment.
      if (IsAnswered(answer)) return Wait::kDone;
      if (wait == Wait::kForgotten) outbox_.Withdraw();
      return wait;
    }
    if (now >= mend_at) mend_at = now + kAskMendEvery;
    answers.WaitWhile(rings, pause);
    pause = std::min<std::chrono::nanoseconds>(2 * pause, options_.poll);
  }
}

bool Asker::IsAnswered(TreeAnswer& answer) const {
  const std::optional<TreeAnswer> found = outbox_.Look();
  if (found) answer = *found;
  return found.has_value();
}

Asker::Wait Asker::LookAround(const SessionRow& place, bool mend) {
  if (const Wait wait = Interrupted(true); wait != Wait::kDone) return wait;
  const std::optional<SessionRow> found = find_row_();
  if (found && *found != place) return Wait::kRowChanged;
  Complain(true);
  if (!mend) return Wait::kDone;
  if (layout_.head().lost()) IgnoreError(layout_.Renew(), "tried again");
  if (outbox_.NumberIsSpent()) return Wait::kNumberSpent;
  // Not while the row may be another host's.
  if (found) outbox_.Mend();
  return Wait::kDone;
}

Asker::Wait Asker::Interrupted(bool sent) {
  EndForgotten();
  const MutexLock lock(mutex_);
  if (stopping_) return Wait::kStopped;
  if (!current_->forgotten) return Wait::kDone;
  const bool in_grace =
      sent && Clock::now() < *current_->forgotten + options_.forget_grace;
  return in_grace ? Wait::kDone : Wait::kForgotten;
}

void Asker::AskAgain(Waiting& asked) {
  const auto now = Clock::now();
  if (!asked.first_refused) asked.first_refused = now;
  if (now - *asked.first_refused >= options_.retry_for) {
    return End(asked, EBUSY);
  }
  asked.pause = std::clamp<std::chrono::nanoseconds>(2 * asked.pause,
                                                     kFirstRetry, kLastRetry);
  asked.not_before = now + asked.pause;
  const MutexLock lock(mutex_);
  asked.forgotten = current_->forgotten;
  queue_.push_front(std::move(asked));
}

/// Those that were not sent.
void Asker::EndForgotten() {
  std::vector<Waiting> ended;
  {
    const MutexLock lock(mutex_);
    for (auto it = queue_.begin(); it != queue_.end();) {
      if (!it->forgotten) {
        ++it;
        continue;
      }
      ended.push_back(std::move(*it));
      it = queue_.erase(it);
    }
  }
  for (Waiting& asked : ended) End(asked, EINTR);
}

void Asker::EndAll() {
  EndForgotten();
  std::deque<Waiting> ended;
  {
    const MutexLock lock(mutex_);
    ended.swap(queue_);
  }
  for (Waiting& asked : ended) End(asked, ENOTCONN);
}

void Asker::End(Waiting& asked, int error) {
  End(asked, TreeAnswer{.error = error});
}

void Asker::End(Waiting& asked, const TreeAnswer& answer) {
  const Done done = std::move(asked.done);
  done(answer);
}

void Asker::Complain(bool has_row) {
  const auto silent = Clock::now() - silent_since_;
  if (complained_ || silent < options_.complain_after) return;
  complained_ = true;
  if (!has_row) {
    spdlog::warn(
        "{}: changes in tree volumes wait since {:.0f} s: this host has no row "
        "in the host table (famfs hosts lists them)",
        spec_, Seconds(silent));
    return;
  }
  const auto owner = layout_.LoadOwner();
  const bool known = owner.ok() && owner->has_value();
  spdlog::warn(
      "{}: changes in tree volumes wait since {:.0f} s: the owner of the file "
      "system does not answer; look at the controller on the host {} (epoch "
      "{})",
      spec_, Seconds(silent), known ? (*owner)->host.ToString() : "?",
      known ? (*owner)->epoch : 0);
}

void Asker::NoteAnswer() {
  if (!std::exchange(complained_, false)) return;
  spdlog::info("{}: the owner of the file system answers again, after {:.0f} s",
               spec_, Seconds(Clock::now() - silent_since_));
}

}  // namespace famfs
