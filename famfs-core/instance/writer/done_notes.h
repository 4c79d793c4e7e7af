// What the owner notes of the hosts' requests, in their mailboxes: up to where
// those of a row are done, and how the last one ended (media/mailbox_lines.h,
// DoneRecord). Together with what the log shows, whose records bear the session
// and number of the request that made them, it tells whether a request was done
// already: it is done once, or not at all, whoever is the owner and wherever
// one crashed.
//
// The log forgets superseded records in a compaction. Therefore each one first
// notes, for every row, what the log shows and no note does: also the one that
// an opening begins with, and also in a program that answers nobody.
//
// Thread-safe: all notes are written under the state's lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "instance/writer/known_done.h"
#include "instance/writer/writer_state.h"
#include "media/tree_request.h"

namespace famfs {

class DoneNotes {
 public:
  explicit DoneNotes(WriterState& state) : state_(state) {}

  /// By the note in the row, if that is of the session, and by the log. What
  /// the log shows succeeded, whatever is noted.
  [[nodiscard]] KnownDone Find(std::size_t row, std::uint32_t session) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Notes that the session's requests up to `number` are done, and how that
  /// one ended. Writes nothing when this writer has stopped, or finds out now
  /// that it was overtaken.
  [[nodiscard]] absl::Status Note(std::size_t row, std::uint32_t session,
                                  std::uint64_t number,
                                  const TreeAnswer& answer)
      ABSL_LOCKS_EXCLUDED(state_.mutex);

  /// What an owner that died may have left undone of a request that the log
  /// shows as done: before it is answered. Nothing of one that was noted.
  void Finish(std::size_t row, std::uint32_t session, std::uint64_t number)
      ABSL_LOCKS_EXCLUDED(state_.mutex);

  /// Before a compaction, after OwnedLog::CheckStillOwner.
  static void KeepAll(WriterState& state)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex);

 private:
  WriterState& state_;
};

}  // namespace famfs
