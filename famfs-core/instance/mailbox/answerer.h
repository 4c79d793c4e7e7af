// The owner's end of all mailboxes (docs/format.md, "Mailbox"): one thread does
// what hosts ask for, in turn, one request of each row and round, and answers.
//
// **Once or not at all.** Of a session the owner knows what is done: by the
// note in the row (media/mailbox_lines.h, DoneRecord), which Writer::NoteDone
// stores, and by the log, whose records bear the session and number of what
// made them. A request with a number up to that is never done again: the last
// one is answered as it is noted, or as the log shows it. For a crash at any
// store:
//
//   before the log's counters  nothing is done; the next owner does it
//   before the note            the log shows it; the next owner notes it so. A
//                              compaction forgets what the log showed, so each
//                              one first notes it for every row
//                              (writer/done_notes.h)
//   before the answer's head   the note shows it; the next owner answers so
//
// What failed left nothing in the log; up to the note it may be tried again and
// end otherwise.
//
// An owner that was overtaken writes neither note nor answer once it looks:
// noting checks whose the file system is. What it still stores afterwards bears
// its own epoch, and a host takes only what the epoch that stands has noted;
// the owner of that one looks again at what it wrote, twice a second,
// and writes it anew.
//
// A host may write anything into its half. What is no request, or a request
// that makes no sense, is answered EINVAL or left alone; a row that is not that
// of a live session, or another session's message in it, is left alone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/status.h"
#include "instance/log/layout.h"
#include "instance/mailbox/doorbell.h"
#include "instance/writer/writer.h"
#include "media/mailbox_lines.h"
#include "media/region_tables.h"

namespace famfs {

struct AnswererOptions {
  /// A wait for requests ends at the latest then, whether a doorbell rang or
  /// not: what a request may last longer where owner and host are two machines.
  std::chrono::nanoseconds poll = std::chrono::milliseconds(5);
  /// The same after so long without a request, so that silence costs nothing.
  std::chrono::nanoseconds quiet_poll = std::chrono::milliseconds(20);
  std::chrono::nanoseconds quiet_after = std::chrono::seconds(1);
};

class Answerer {
 public:
  /// `writer` outlives it. Unavailable when there is no thread to be had;
  /// otherwise as Layout::Open.
  static absl::StatusOr<std::unique_ptr<Answerer>> Start(
      Writer& writer, AnswererOptions options = {});
  /// Waits for the request under way.
  ~Answerer();
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;

  // From any thread.

  /// Its writer has stopped, and so has it: nothing is answered any more. The
  /// next owner answers what stands in the mailboxes.
  [[nodiscard]] bool ended() const { return ended_; }
  /// Requests that were done, or refused, since the start.
  [[nodiscard]] std::uint64_t answered() const { return answered_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// What was seen and written in a row last.
  struct Row {
    bool live = false;     // as the host table said, some time ago
    bool settled = false;  // `seen` was answered, or needs no answer
    Line seen{};           // the head line of its request
    std::vector<Line> answer;
    std::uint32_t session = 0;  // of the request that was answered last here
    std::uint64_t number = 0;
    bool warned = false;  // that what stands there is no request
  };

  Answerer(Writer& writer, Layout layout, std::uint64_t epoch,
           AnswererOptions options);

  void Run();
  /// One round over the rows; whether any was answered.
  bool LookAtRows();
  void FindLiveRows();
  void MendAnswers();
  // Whether it was answered.
  bool Serve(std::size_t row);
  bool ServeRequest(std::size_t row, const MailboxHead& head);
  [[nodiscard]] bool IsLive(std::size_t row, std::uint32_t session) const;
  TreeAnswer Do(const MailboxHead& head, std::span<const std::byte> message);
  bool Answer(std::size_t row, const MailboxHead& head,
              const TreeAnswer& answer);

  Writer& writer_;
  const AnswererOptions options_;
  Layout layout_;
  const std::uint64_t epoch_;  // of its writer
  const bool can_sleep_on_;
  Doorbell bell_;
  std::vector<Row> rows_;  // the thread's alone
  Clock::time_point last_traffic_;
  Clock::time_point next_scan_;
  Clock::time_point next_mend_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> answered_{0};
  std::thread thread_;
};

}  // namespace famfs
