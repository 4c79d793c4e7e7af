// Changes inside tree volumes, as hosts and tools ask for them: each is checked
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

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "instance/devices/mapped_file.h"
#include "instance/writer/creations.h"
#include "instance/writer/reclamation.h"
#include "instance/writer/writer_state.h"
#include "media/tree_request.h"

namespace famfs {

class TreeChanges {
 public:
  TreeChanges(WriterState& state, Creations& creations,
              Reclamation& reclamation)
      : state_(state), creations_(creations), reclamation_(reclamation) {}

  /// Does what is asked. The answer's error is 0 or an errno: ESTALE for a
  /// volume or a node that is not there, ENOSPC where the volume's capacity,
  /// the pool's memory or the log's slots are used up (logged, which), EAGAIN
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
  /// Until the file has room for `bytes`.
  int Extend(Step& step, std::uint64_t bytes);
  int TryExtend(Step& step, std::uint64_t bytes, bool exact);
  /// How much to add to a file for so many bytes; 0 with `error` 0: nothing.
  std::uint64_t GrowthOf(const Node& volume, const Node& node,
                         std::uint64_t bytes, bool exact, int& error) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int Resize(Step& step);
  /// Zeroes what the file holds between its size and `end`.
  int ZeroTail(const Step& step, std::uint64_t end) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Some of it from `at` on, which moves; EAGAIN when the file was cut since.
  int ZeroStep(const Step& step, const MappedFile& mapped,
               std::uint32_t truncation, std::uint64_t end,
               std::uint64_t& at) const ABSL_LOCKS_EXCLUDED(state_.mutex);
  int PublishGrowth(Step& step, const Claim& claim);
  int CheckSlots(const Node& volume, const Step& step) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  int Append(Step& step, std::span<const MediaExtent> extents)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  /// The live tree volume; null with the errno.
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
  void RemoveFiles(const Step& step) const;
  /// Makes the file end where its record says.
  int SetFileSize(const Step& step) const ABSL_LOCKS_EXCLUDED(state_.mutex);
  int AllocateFile(const Step& step, Range grown) const;

  WriterState& state_;
  Creations& creations_;
  Reclamation& reclamation_;
};

}  // namespace famfs
