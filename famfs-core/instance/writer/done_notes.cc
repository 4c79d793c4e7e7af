#include "instance/writer/done_notes.h"

#include <spdlog/spdlog.h>

#include <optional>

#include "instance/deletion/host_table.h"
#include "instance/devices/mailbox_store.h"

namespace famfs {
namespace {

using Loaded = absl::StatusOr<std::optional<DoneRecord>>;

Loaded Load(const WriterState& state, std::size_t row) {
  return LoadDone(state.layout->head(), row,
                  state.layout->superblock().fs_uuid);
}

/// Behind what was loaded; both copies may be damaged.
void Store(WriterState& state, std::size_t row, const Loaded& before,
           DoneRecord next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
  const bool known = before.ok() && before->has_value();
  next.sequence = known ? (*before)->sequence + 1 : 2;
  next.epoch = state.log.epoch();
  Mapping& head = state.layout->head();
  const Uuid& fs_uuid = state.layout->superblock().fs_uuid;
  StoreDone(head, row, next, fs_uuid);
  if (before.ok()) return;
  // What stands in the other copy may say that it is newer, and then nothing
  // of the row could ever be noted again.
  ++next.sequence;
  StoreDone(head, row, next, fs_uuid);
}

/// Whose request stands in the row, or may come to stand there again: that of
/// the host table or, where that says nothing, the request's own.
std::optional<std::uint32_t> SessionIn(const WriterState& state,
                                       std::size_t row) {
  const Mapping& head = state.layout->head();
  const Uuid& fs_uuid = state.layout->superblock().fs_uuid;
  const std::optional<HostRow> host = LoadHost(head, row, fs_uuid);
  if (host && !host->damaged && host->record.state == HostState::kLive) {
    return host->record.session;
  }
  const auto request =
      LoadMailboxHead(head, row, MailboxSide::kRequest, fs_uuid);
  if (!request.ok() || !request->has_value()) return std::nullopt;
  return (*request)->session;
}

/// What the answer to a request is to name that the log shows as done: of an
/// append the place, which the log does not say; the request does, where it
/// still stands, and else nobody waits for it.
TreeId NamedBy(const WriterState& state, std::size_t row, std::uint32_t session,
               const DoneRequest& done) {
  const auto message =
      LoadMailboxMessage(state.layout->head(), row, MailboxSide::kRequest,
                         state.layout->superblock().fs_uuid);
  if (!message.ok() || !message->has_value() ||
      (*message)->session != session || (*message)->number != done.number) {
    return done.node;
  }
  const auto request = DecodeTreeRequest((*message)->bytes);
  if (!request.ok() || request->op != TreeOp::kAppend) return done.node;
  return done.size - request->size;
}

}  // namespace

KnownDone DoneNotes::Find(std::size_t row, std::uint32_t session) const {
  const ReaderMutexLock lock(state_.mutex);
  const LogPlayer& player = state_.log.player();
  KnownDone known;
  known.answer.generation = state_.log.generation();
  known.answer.entries = state_.log.entries();
  const Loaded note = Load(state_, row);
  known.in_doubt = !note.ok();
  if (note.ok() && note->has_value() && (*note)->session == session) {
    known.number = (*note)->number;
    known.answer.error = (*note)->status;
    known.answer.node = (*note)->node;
  }
  const auto shown = player.done().find(session);
  if (shown == player.done().end()) return known;
  const DoneRequest& done = shown->second;
  if (done.number < known.number) return known;
  // Of one request the note may have more to say: what other record has its
  // mark a compaction decides.
  if (done.number == known.number && known.answer.error == 0) return known;
  known.number = done.number;
  known.answer.error = 0;
  known.answer.node = NamedBy(state_, row, session, done);
  return known;
}

absl::Status DoneNotes::Note(std::size_t row, std::uint32_t session,
                             std::uint64_t number, const TreeAnswer& answer) {
  const WriterMutexLock lock(state_.mutex);
  FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
  Store(state_, row, Load(state_, row),
        {.session = session,
         .number = number,
         .status = answer.error,
         .node = answer.node});
  return state_.log.CheckMemory();
}

void DoneNotes::KeepAll(WriterState& state) {
  const auto& shown = state.log.player().done();
  if (shown.empty()) return;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    const std::optional<std::uint32_t> session = SessionIn(state, row);
    if (!session) continue;
    const auto done = shown.find(*session);
    if (done == shown.end()) continue;
    const Loaded note = Load(state, row);
    if (note.ok() && note->has_value() && (*note)->session == *session) {
      const DoneRecord& noted = **note;
      if (noted.number > done->second.number) continue;
      if (noted.number == done->second.number && noted.status == 0) continue;
    }
    Store(state, row, note,
          {.session = *session,
           .number = done->second.number,
           .status = 0,
           .node = NamedBy(state, row, *session, done->second)});
  }
}

}  // namespace famfs
