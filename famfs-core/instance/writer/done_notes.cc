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

/// The request of that number, where it still stands.
std::optional<TreeRequest> StandingRequest(const WriterState& state,
                                           std::size_t row,
                                           std::uint32_t session,
                                           std::uint64_t number) {
  const auto message =
      LoadMailboxMessage(state.layout->head(), row, MailboxSide::kRequest,
                         state.layout->superblock().fs_uuid);
  if (!message.ok() || !message->has_value() ||
      (*message)->session != session || (*message)->number != number) {
    return std::nullopt;
  }
  auto request = DecodeTreeRequest((*message)->bytes);
  if (!request.ok()) return std::nullopt;
  return *std::move(request);
}

/// What the answer to a request is to name that the log shows as done: of an
/// append the place, which the log does not say; the request does, where it
/// still stands, and else nobody waits for it.
TreeId NamedBy(const WriterState& state, std::size_t row, std::uint32_t session,
               const DoneRequest& done) {
  const auto request = StandingRequest(state, row, session, done.number);
  if (!request || request->op != TreeOp::kAppend) return done.node;
  return done.size - request->size;
}

/// Of a request that the log shows as done and no note does: an owner cuts the
/// device's own file of a node after the log says so, and one that died in
/// between left that to the next one. Never of one that was noted: whoever
/// asked was answered then, and hosts may have stored behind the end since.
void FinishCut(const WriterState& state, std::size_t row, std::uint32_t session,
               std::uint64_t number)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
  if (!state.device->capabilities().has_node_files) return;
  const auto request = StandingRequest(state, row, session, number);
  if (!request || request->op != TreeOp::kSetAttributes ||
      (request->set & kSetSize) == 0) {
    return;
  }
  const Namespace& tree = state.log.player().tree();
  const auto found = tree.volumes().find(request->volume);
  const Node* const volume =
      found == tree.volumes().end() ? nullptr : tree.Find(found->second);
  if (volume == nullptr || volume->tree == nullptr) return;
  const Node* const node = tree.FindTreeNode(*volume, request->node);
  if (node == nullptr || node->tree->record.kind != NodeKind::kFile) return;
  const absl::Status cut = state.device->ResizeNodeFile(
      NodeFileName(request->volume, request->node), node->tree->record.size,
      node->tree->allocated);
  if (cut.ok()) return;
  spdlog::error("{}: a file's size is not set: {}", state.device->spec(),
                Message(cut));
}

/// Whether the note is of that request or of a later one.
bool IsNoted(const Loaded& note, std::uint32_t session, std::uint64_t number) {
  return note.ok() && note->has_value() && (*note)->session == session &&
         (*note)->number >= number;
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

void DoneNotes::Finish(std::size_t row, std::uint32_t session,
                       std::uint64_t number) {
  const WriterMutexLock lock(state_.mutex);
  if (!state_.log.CheckStillOwner().ok()) return;
  if (!IsNoted(Load(state_, row), session, number)) {
    FinishCut(state_, row, session, number);
  }
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
    if (!IsNoted(note, *session, done->second.number)) {
      FinishCut(state, row, *session, done->second.number);
    }
    Store(state, row, note,
          {.session = *session,
           .number = done->second.number,
           .status = 0,
           .node = NamedBy(state, row, *session, done->second)});
  }
}

}  // namespace famfs
