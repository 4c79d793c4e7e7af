#include "instance/mailbox/answerer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/thread.h"
#include "instance/deletion/host_table.h"
#include "instance/devices/mailbox_store.h"
#include "media/tree_request.h"

namespace famfs {
namespace {

/// After traffic there is more of it.
constexpr std::chrono::microseconds kSpin{50};
constexpr std::chrono::microseconds kFirstPause{100};
/// How often rows of hosts that are new are looked for; a ring does that, too.
constexpr std::chrono::milliseconds kScanEvery{200};
/// How often it is looked whether what was answered still stands.
constexpr std::chrono::milliseconds kMendEvery{500};

}  // namespace

Answerer::Answerer(Writer& writer, Layout layout, std::uint64_t epoch,
                   AnswererOptions options)
    : writer_(writer),
      options_(options),
      layout_(std::move(layout)),
      epoch_(epoch),
      can_sleep_on_(CanSleepOn(*writer.device())),
      bell_(layout_.head(), kRequestBellAt, can_sleep_on_),
      rows_(kHostRows) {}

absl::StatusOr<std::unique_ptr<Answerer>> Answerer::Start(
    Writer& writer, AnswererOptions options) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(*writer.device(), Access::kReadWrite));
  // The writer's, or a later one: then its writer stops when it notes anything.
  FAMFS_ASSIGN_OR_RETURN(const auto owner, layout.LoadOwner());
  const std::uint64_t epoch = owner ? owner->epoch : 0;
  std::unique_ptr<Answerer> answerer(
      new Answerer(writer, std::move(layout), epoch, options));
  FAMFS_ASSIGN_OR_RETURN(
      answerer->thread_,
      StartThread([answerer = answerer.get()] { answerer->Run(); }));
  return answerer;
}

Answerer::~Answerer() {
  stopping_ = true;
  bell_.Ring();
  if (thread_.joinable()) thread_.join();
}

void Answerer::Run() {
  std::chrono::nanoseconds pause = kFirstPause;
  bool rung = true;
  while (!stopping_ && !ended_) {
    const std::uint32_t rings = bell_.rings();
    const auto now = Clock::now();
    if (rung || now >= next_scan_) FindLiveRows();
    if (now >= next_mend_) MendAnswers();
    rung = false;
    if (LookAtRows()) {
      last_traffic_ = Clock::now();
      pause = kFirstPause;
      continue;
    }
    if (writer_.stopped()) ended_ = true;
    if (ended_ || stopping_) break;
    const auto silent = Clock::now() - last_traffic_;
    if (silent < kSpin) continue;
    bell_.WaitWhile(rings, pause);
    rung = bell_.rings() != rings;
    const auto most =
        silent < options_.quiet_after ? options_.poll : options_.quiet_poll;
    pause = rung ? kFirstPause : std::min(2 * pause, most);
  }
  if (ended_) {
    spdlog::info("{}: this owner has stopped and answers no host any more",
                 writer_.device()->spec());
  }
}

/// Which rows are worth a look: that of a host that is not there costs nothing.
void Answerer::FindLiveRows() {
  next_scan_ = Clock::now() + kScanEvery;
  if (!layout_.head().Check().ok()) {
    IgnoreError(layout_.Renew(), "tried again");
  }
  for (Row& row : rows_) row.live = false;
  for (const HostRow& host :
       LoadHosts(layout_.head(), layout_.superblock().fs_uuid)) {
    rows_[host.row].live =
        !host.damaged && host.record.state == HostState::kLive;
  }
}

bool Answerer::LookAtRows() {
  bool answered = false;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    if (stopping_ || ended_) break;
    if (rows_[row].live) answered = Serve(row) || answered;
  }
  return answered;
}

bool Answerer::IsLive(std::size_t row, std::uint32_t session) const {
  const auto host = LoadHost(layout_.head(), row, layout_.superblock().fs_uuid);
  return host && !host->damaged && host->record.state == HostState::kLive &&
         host->record.session == session;
}

bool Answerer::Serve(std::size_t row) {
  Row& known = rows_[row];
  const Line line = LoadHeadLine(layout_.head(), row, MailboxSide::kRequest);
  if (known.settled && line == known.seen) return false;
  known.settled = false;
  known.seen = line;
  const auto head = DecodeMailboxHead(line, MailboxSide::kRequest,
                                      layout_.superblock().fs_uuid);
  if (!head.ok()) {
    if (!std::exchange(known.warned, true)) {
      spdlog::warn("host row {}: {}; it is left alone", row,
                   Message(head.status()));
    }
    known.settled = true;  // until something else stands there
    return false;
  }
  if (!head->has_value() || (*head)->number == 0) return false;
  if (!IsLive(row, (*head)->session)) return false;
  return ServeRequest(row, **head);
}

bool Answerer::ServeRequest(std::size_t row, const MailboxHead& head) {
  const KnownDone done = writer_.DoneOf(row, head.session);
  if (head.number < done.number) {
    // The host is to learn that its number is spent.
    if (writer_.NoteDone(row, head.session, done.number, done.answer).ok()) {
      rows_[row].settled = true;
    }
    return false;
  }
  if (head.number == done.number) {
    // This owner's own are finished; their notes may have been stored over.
    const Row& known = rows_[row];
    if (known.session != head.session || known.number != head.number) {
      writer_.FinishRequest(row, head.session, head.number);
    }
    return Answer(row, head, done.answer);
  }
  const auto message = LoadMailboxMessage(
      layout_.head(), row, MailboxSide::kRequest, layout_.superblock().fs_uuid);
  if (!layout_.head().Check().ok()) return false;
  if (!message.ok()) return Answer(row, head, {.error = EINVAL});
  if (!message->has_value() || (*message)->session != head.session ||
      (*message)->number != head.number) {
    return false;  // it is being written
  }
  if (done.in_doubt) {
    spdlog::error(
        "host row {}: the note of what is done of its requests is damaged; "
        "whether the one that stands there was done already is not known, and "
        "it ends with EIO",
        row);
    return Answer(row, head, {.error = EIO});
  }
  const TreeAnswer answer = Do(head, (*message)->bytes);
  ++answered_;
  return Answer(row, head, answer);
}

TreeAnswer Answerer::Do(const MailboxHead& head,
                        std::span<const std::byte> message) {
  const auto request = DecodeTreeRequest(message);
  if (!request.ok()) return {.error = EINVAL};
  return writer_.ChangeTree(*request,
                            {.session = head.session, .number = head.number});
}

/// The note first: who finds the answer must find it noted, and a number that
/// is answered must never be done again.
bool Answerer::Answer(std::size_t row, const MailboxHead& head,
                      const TreeAnswer& answer) {
  // What a writer says that has stopped is no answer: the next owner's counts.
  if (writer_.stopped() ||
      !writer_.NoteDone(row, head.session, head.number, answer).ok()) {
    ended_ = writer_.stopped();
    return false;
  }
  Row& known = rows_[row];
  known.settled = true;
  known.warned = false;
  known.session = head.session;
  known.number = head.number;
  known.answer = EncodeMailboxMessage(MailboxSide::kAnswer, head.session,
                                      head.number, EncodeTreeAnswer(answer),
                                      layout_.superblock().fs_uuid);
  StoreMessage(layout_.head(), row, MailboxSide::kAnswer, known.answer);
  Doorbell(layout_.head(), AnswerBellAt(row), can_sleep_on_).Ring();
  return true;
}

/// An owner that was overtaken may have stored over the answer, or the note.
/// Then the request is looked at again, as that of a host that asks anew.
void Answerer::MendAnswers() {
  next_mend_ = Clock::now() + kMendEvery;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    Row& known = rows_[row];
    if (!known.live || !known.settled || known.answer.empty()) continue;
    const auto note =
        LoadDone(layout_.head(), row, layout_.superblock().fs_uuid);
    const bool noted =
        note.ok() && note->has_value() && (*note)->epoch == epoch_;
    if (noted && MessageStands(layout_.head(), row, MailboxSide::kAnswer,
                               known.answer)) {
      continue;
    }
    known.settled = false;
  }
}

}  // namespace famfs
