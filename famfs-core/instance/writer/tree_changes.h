// Changes inside tree volumes, and of the owner and mode of any volume's
// directory, as hosts and tools ask for them: each is checked
// against every rule of the log before anything is appended, whoever asks, and
// is one batch of entries: all of it happens, or nothing.
//
// Where a file's bytes are a file of the device's own (dax/device.h, node
// files), that is made before the node, grows before the piece is named, and is
// removed after the node.
//
// Thread-safe. Space is created and zeroed outside of the lock: meanwhile other
// changes go on, and one that asks for the same file to grow is answered
// EAGAIN.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "instance/devices/mapped_file.h"
#include "instance/writer/appenders.h"
#include "instance/writer/creations.h"
#include "instance/writer/reclamation.h"
#include "instance/writer/writer_state.h"
#include "media/tree_request.h"

namespace famfs {

class TreeChanges {
 public:
  TreeChanges(WriterState& state, Creations& creations,
              Reclamation& reclamation)
      : state_(state),
        creations_(creations),
        reclamation_(reclamation),
        appenders_(*state.layout) {}

  /// Does what is asked. The answer's error is 0 or an errno: ESTALE for a
  /// volume or a node that is not there, ENOSPC where the volume's capacity,
  /// the pool's memory or the log's slots are used up (logged, which),
  /// EOVERFLOW where a number of the log that only grows cannot grow any more
  /// (which a hostile or damaged log alone brings about; logged), EAGAIN
  /// where nothing was done and the same request may succeed later, EIO where
  /// this writer has stopped; any other is that of the system call which the
  /// request stands for. `mark` goes into the records.
  TreeAnswer Apply(const TreeRequest& request, const RequestMark& mark)
      ABSL_LOCKS_EXCLUDED(state_.mutex);

 private:
  /// A request under way, and what it becomes.
  struct Step {
    const TreeRequest& request;
    const RequestMark& mark;
    std::int64_t now_ns;
    TreeId node = kVolumeRoot;          // for the answer
    std::vector<MediaEntry> entries{};  // to append
    std::uint64_t more = 0;             // nodes and pieces, of the entries
    std::vector<TreeId> removed{};      // files
    /// ENOSPC: by what the volume's own claim allows, whatever comes back.
    bool is_own_limit = false;
    std::uint64_t end = 0;  // bytes: of an append, where the file ended before
  };
  /// What a growth begins at.
  struct Room {
    std::uint64_t allocated = 0;  // bytes
    std::uint32_t truncation = 0;
    std::uint64_t growth = 0;  // bytes
    bool is_last = true;       // nothing more has to follow
  };

  // Each answers an errno; 0: the step says what to append.
  int Plan(const Node& volume, Step& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  int PlanCreate(const Node& volume, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int PlanRemove(const Node& volume, Step& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  int PlanRename(const Node& volume, Step& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  int PlanExchange(const Node& volume, const Node& from, const Node& to,
                   Step& step) const ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  [[nodiscard]] std::string NameAside(const Node& node) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int PlanAttributes(const Node& volume, Step& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  int PlanVolumeAttributes(const Node& volume, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int PlanSettle(const Node& volume, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int PlanAppend(const Node& volume, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);

  /// The next revision of a node, unchanged.
  [[nodiscard]] NodeRecord Revise(const Node& node, const Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int AddRecord(const Node& volume, TreeId id, const NodeRecord& record,
                const Ownership& owner, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int AddRemoval(const Node& volume, const Node& node, Step& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  /// 0 with a fresh deletion number in the record.
  int NumberDeletion(NodeRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);

  int Create(Step& step);
  int ChooseNode(Step& step) const;
  int Change(Step& step);
  int TryChange(Step& step);
  /// After an ENOSPC: once more when a reclaim may help.
  int AfterReclaim(int error, Step& step, const std::function<int()>& again)
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Until the file has room for `bytes`.
  int Extend(Step& step, std::uint64_t bytes);
  /// In pieces of at most 1 GiB.
  int ExtendAll(Step& step, std::uint64_t bytes, bool exact);
  int TryExtend(Step& step, std::uint64_t bytes, bool exact, bool& is_last);
  /// How much to add to a file for so many bytes; growth 0: nothing.
  int FindGrowth(Step& step, std::uint64_t bytes, bool exact, Room& room) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int Resize(Step& step);
  /// A range behind the file's end, or the file (writer/appenders.h).
  int AppendRange(Step& step);
  /// Who may append. EAGAIN: another host has to stop first, and is told.
  int JudgeAppend(Step& step, Appenders::Verdict& verdict)
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  int TellToStop(const Node& volume, const Node& node, Step& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  /// A part of a file's tail, in memory.
  struct Tail {
    MappedFile mapped;
    std::uint64_t start = 0;  // of the file, where the mapping begins
    std::uint64_t end = 0;
    std::uint32_t truncation = 0;
  };
  /// Zeroes what the file holds between its size and `end`.
  int ZeroTail(const Step& step, std::uint64_t end) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Maps what follows `at`, or its size, which `at` becomes. Null with
  /// `error` 0: there is nothing to zero.
  std::optional<Tail> MapTail(const Step& step, std::uint64_t end,
                              std::uint64_t& at, int& error) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Some of it from `at` on, which moves; EAGAIN when the file was cut since.
  int ZeroStep(const Step& step, const Tail& tail, std::uint64_t& at) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  int PublishGrowth(Step& step, const Claim& claim, const Room& room);
  /// The entries that make the claim a piece; EAGAIN when the file was cut.
  int PlanGrowth(Step& step, const Claim& claim, const Room& room) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  /// The record with the number of the next piece spent; EOVERFLOW: no more.
  int TakePiece(const Node& volume, const Node& node, NodeRecord& record,
                std::uint32_t& number) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  /// Whether the volume may hold so many bytes more.
  int CheckCapacity(const Node& volume, std::uint64_t more, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  /// Whether there are slots for so many entries.
  int CheckSlots(const Node& volume, std::size_t entries, Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  /// Whether to say that this is full: of each once a minute, for programs try
  /// again and again.
  [[nodiscard]] bool MayTell(std::string_view what) const
      ABSL_LOCKS_EXCLUDED(told_mutex_);
  /// EOVERFLOW, logged.
  int UsedUp(std::string_view volume, std::string_view what) const;
  int Append(Step& step, std::span<const MediaExtent> extents)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  /// The live tree volume, or the one of layout `file` whose owner or mode is
  /// to be changed; null with the errno.
  const Node* FindVolume(const Step& step, int& error) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  [[nodiscard]] const Namespace& tree() const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex) {
    return state_.log.tree();
  }

  // The device's own files.
  [[nodiscard]] bool HasNodeFiles() const {
    return state_.device->capabilities().has_node_files;
  }
  /// Looked at before bytes are removed or cut: they may be a successor's.
  [[nodiscard]] bool IsStillOwner() const ABSL_LOCKS_EXCLUDED(state_.mutex);
  void RemoveFiles(const Step& step) const ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Makes the file end where its record says.
  int SetFileSize(const Step& step) const ABSL_LOCKS_EXCLUDED(state_.mutex);
  int AllocateFile(const Step& step, Range grown) const;
  /// Gives back what a growth that failed has allocated.
  void TrimFile(const Step& step) ABSL_LOCKS_EXCLUDED(state_.mutex);

  WriterState& state_;
  Creations& creations_;
  Reclamation& reclamation_;
  Appenders appenders_ ABSL_GUARDED_BY(state_.mutex);
  mutable Mutex told_mutex_ ABSL_ACQUIRED_AFTER(state_.mutex);
  // What was told to be full, and when.
  mutable absl::flat_hash_map<std::string,
                              std::chrono::steady_clock::time_point>
      told_ ABSL_GUARDED_BY(told_mutex_);
};

}  // namespace famfs
