// What Salvager does inside tree volumes (salvage.h has the outline):
//   - a node whose directory's record is damaged stands in a directory that is
//     made up at the volume's root, under its id, until a later record of that
//     one says what it is called;
//   - of two nodes with one name the later one has it, and the other stands
//     beside it under its id: a removal or a renaming cannot be read;
//   - a file ends before the first piece that cannot be read or whose place in
//     it is not known: no byte is given out at another place than its own.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "instance/log/log_player.h"
#include "instance/log/salvage.h"

namespace famfs {

/// Thread-compatible; `player` and `damage` outlive it.
class TreeMender {
 public:
  TreeMender(LogPlayer& player, DamageList& damage)
      : player_(player), damage_(damage) {}

  /// The slot holds no entry that can be believed.
  void Damaged();
  /// Before an intact entry is tried: a finding when it is to be left out.
  std::optional<Finding> Refuse(std::uint64_t index, const MediaEntry& entry);
  /// Whether something was changed that `finding`, about an intact entry, asks
  /// for: then it is to be tried again.
  bool MakeUp(const Finding& finding, const MediaEntry& entry);
  /// Whether an entry is of a tree volume whose own entry is damaged: `finding`
  /// is what the player says without it. `*volume` is its directory then.
  static bool NamesLostVolume(const Finding& finding, const MediaEntry& entry,
                              std::string_view& volume);
  /// The directory `path`, which is there, becomes one.
  void MakeVolume(const Finding& finding, std::string_view path);

 private:
  /// A node's record, in its volume.
  struct Record {
    const Node* volume = nullptr;
    TreeId id = 0;
    NodeRecord record;
  };
  [[nodiscard]] std::optional<Record> RecordOf(const MediaEntry& entry) const;
  std::optional<Finding> RefusePiece(std::uint64_t index, const Node& volume,
                                     const MediaFile& piece);
  void LookAtRecord(const Record& now);
  bool MakeParent(const Finding& finding, const Record& now);
  bool MoveAside(const Finding& finding, const Node& volume, const Node& node,
                 const Node& parent);
  bool ForgetPieces(const Finding& finding, const Record& now);
  void Tell(const Finding& finding, std::string message);

  LogPlayer& player_;
  DamageList& damage_;
  bool any_damage_ = false;
  NodeId last_ = 0;  // whose the last intact entry was; 0: of no tree node
  /// Files of which pieces are missing: no later one is believed.
  absl::flat_hash_set<NodeId> broken_;
  /// Files of which a piece may be missing: none is believed whose number does
  /// not follow.
  absl::flat_hash_set<NodeId> doubted_;
};

}  // namespace famfs
