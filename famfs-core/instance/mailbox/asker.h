// A host's end of its mailbox (docs/format.md, "Mailbox"): what a pod wants
// changed in a tree volume is asked of the owner through the memory.
//
// Whoever asks is never blocked: requests queue, one thread sends one after the
// other and calls back. While the owner is away they are parked, as long as it
// takes.
//
// A request is done once or not at all, and success is told only when it is
// done: an answer counts when the owner whose epoch stands now has noted the
// request as done, since one that was overtaken may still be answering. What
// is told otherwise:
//
//   ENOTCONN  never sent: Stop came first. Nothing was done.
//   EINTR     Forget. Not sent yet: nothing was done. Sent already: it was
//             withdrawn, and whether the owner had begun it is not known; if
//             it is done, then once.
//   EBUSY     the owner answered EAGAIN for 10 s: others kept changing the same
//             file. Nothing was done. (Not EAGAIN, which callers take for
//             "would block", and not EIO, which they take for lost data.)
//   EIO       sent, and whether it is done will not be known: Stop came before
//             the answer, or the session or its row was lost meanwhile; also an
//             answer of the owner's.
//   EINVAL, ENAMETOOLONG  what EncodeTreeRequest refuses. Nothing was done.
//
// **When the session or its row changes** while a request is out, it may have
// been done under the old one, and what the owner knows of that is bound to
// both: the old row may already be another host's. So only kExtend and kSettle,
// which say "at least so much" and may be done twice, are asked again under the
// new one; any other ends with EIO, unless its answer stands in the old row and
// counts. That row and session come back after a while (the device was out of
// reach, say) changes nothing: the request stands where it was.
//
// Requests are sent in the order in which they were asked; only one that was
// answered EAGAIN lets others go first. One that rests on another is asked when
// that one is done.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/log/layout.h"
#include "instance/mailbox/doorbell.h"
#include "instance/mailbox/outbox.h"
#include "media/tree_request.h"

namespace famfs {

/// This host's live row (HostSession::row, session); nullopt while there is
/// none. A host that was evicted has none for ever: who learns of that calls
/// Stop. Called from the Asker's thread, often; takes no lock that is held
/// while the Asker is called.
using FindSessionRow = std::function<std::optional<SessionRow>()>;

struct AskerOptions {
  /// A wait for an answer ends at the latest then, whether a doorbell rang or
  /// not: what a request may last longer where owner and host are two machines.
  std::chrono::nanoseconds poll = std::chrono::milliseconds(2);
  /// After so long without an answer a line in the log says whom to look at.
  std::chrono::nanoseconds complain_after = std::chrono::seconds(10);
  /// So long a request that is answered EAGAIN is asked again.
  std::chrono::nanoseconds retry_for = std::chrono::seconds(10);
  /// So long a request that was sent and is forgotten may still be answered.
  std::chrono::nanoseconds forget_grace = std::chrono::milliseconds(100);
};

class Asker {
 public:
  using Id = std::uint64_t;  // of a request of this Asker; never 0
  /// Called once for each request, from the Asker's thread, which waits for it:
  /// it must not block, may call Ask and Forget, and must not call Stop.
  using Done = std::function<void(const TreeAnswer&)>;

  /// `device` is the instance's primary, opened for writing. A session has one
  /// Asker: a later one goes on counting from what the row shows, which may be
  /// less than an earlier one withdrew. Unavailable when
  /// there is no thread to be had; otherwise as Layout::Open.
  static absl::StatusOr<std::unique_ptr<Asker>> Start(
      DaxDevice& device, FindSessionRow find_row, AskerOptions options = {});
  /// Stop.
  ~Asker();
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  // From any thread.

  /// Queues the request. After Stop `done` is called at once, by the caller's
  /// thread, with ENOTCONN.
  Id Ask(TreeRequest request, Done done);
  /// Whoever asked does not want to wait any longer: the request ends with
  /// EINTR. One that was not sent yet ends at once and is never done; one that
  /// was sent ends as soon as it is answered, then with its true answer, or
  /// after `forget_grace`. Nothing happens for one that has ended.
  void Forget(Id id);
  /// Ends all that wait, and the thread; returns when every `done` was called.
  void Stop();

  /// Since when the oldest request that has not ended waits; 0: none does.
  [[nodiscard]] std::chrono::nanoseconds oldest_waiting() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Waiting {
    Id id = 0;
    TreeRequest request;
    Done done;
    Clock::time_point since;
    Clock::time_point not_before;  // after an EAGAIN
    std::chrono::nanoseconds pause{0};
    std::optional<Clock::time_point> first_refused;
    std::optional<Clock::time_point> forgotten;
  };
  /// The one that is being served.
  struct Current {
    Id id = 0;
    std::size_t row = kHostRows;  // that its thread listens to; none yet
    Clock::time_point since;
    std::optional<Clock::time_point> forgotten;
  };
  enum class Wait { kDone, kRowChanged, kNumberSpent, kForgotten, kStopped };

  Asker(std::string spec, bool can_sleep_on, Layout layout,
        FindSessionRow find_row, AskerOptions options);

  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  // Of the thread; `done` and `find_row` are called without the lock.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool TakeNext(Waiting& next) ABSL_LOCKS_EXCLUDED(mutex_);
  void Serve(Waiting& asked) ABSL_LOCKS_EXCLUDED(mutex_);
  Wait AwaitRow(SessionRow& place) ABSL_LOCKS_EXCLUDED(mutex_);
  Wait SendAndAwait(const SessionRow& place, std::span<const std::byte> message,
                    TreeAnswer& answer) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsAnswered(TreeAnswer& answer) const;
  /// What ends the wait for an answer; kDone: nothing does.
  Wait LookAround(const SessionRow& place, bool mend)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// Whether Stop or Forget does; kDone: neither.
  Wait Interrupted(bool sent) ABSL_LOCKS_EXCLUDED(mutex_);
  void AskAgain(Waiting& asked) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndForgotten() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);
  static void End(Waiting& asked, int error);
  static void End(Waiting& asked, const TreeAnswer& answer);
  void Complain(bool has_row);
  void NoteAnswer();

  const std::string spec_;
  const FindSessionRow find_row_;
  const AskerOptions options_;
  Layout layout_;
  // The thread's alone; also since when it waits in vain, and whether it said
  // so.
  Outbox outbox_;
  const bool can_sleep_on_;
  Doorbell request_bell_;
  Clock::time_point silent_since_;
  bool complained_ = false;

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<Current> current_ ABSL_GUARDED_BY(mutex_);
  Id last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Mutex thread_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::thread thread_ ABSL_GUARDED_BY(thread_mutex_);
};

}  // namespace famfs
