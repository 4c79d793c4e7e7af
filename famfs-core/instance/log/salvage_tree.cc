#include "instance/log/salvage_tree.h"

#include <utility>

#include "base/text.h"

namespace famfs {
namespace {

bool IsMkdir(const MediaEntry& entry) {
  return entry.type == static_cast<std::uint32_t>(EntryType::kMkdir);
}
bool IsFile(const MediaEntry& entry) {
  return entry.type == static_cast<std::uint32_t>(EntryType::kFile);
}

/// `<volume>/<name>`, which a node's or a piece's path is; nothing else.
std::optional<TreeName> NameIn(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return ParseTreeName(path.substr(slash + 1));
}

/// What no user's name is likely to be, and tells which node it is.
std::string MadeUpName(TreeId id) { return fmt::format("lost.{:016x}", id); }

/// As it stands in the tree, to be changed.
NodeRecord RecordAt(const Namespace& tree, const Node& node) {
  NodeRecord record = node.tree->record;
  record.name = std::string(node.name);
  record.parent = tree.Find(node.parent)->tree->id;
  return record;
}

}  // namespace

void TreeMender::Damaged() {
  any_damage_ = true;
  // In a compacted log a file's pieces follow its record.
  if (last_ != 0) doubted_.insert(last_);
}

std::optional<TreeMender::Record> TreeMender::RecordOf(
    const MediaEntry& entry) const {
  if (!IsMkdir(entry)) return std::nullopt;
  const std::string_view path = PathFromField(entry.mkdir.path);
  const Node* const volume = player_.TreeVolumeAbove(path);
  const std::optional<TreeName> name = NameIn(path);
  if (volume == nullptr || !name || name->piece) return std::nullopt;
  auto record = DecodeNodeRecord(entry.mkdir);
  if (!record.ok() || !record->has_value()) return std::nullopt;
  return Record{volume, name->id, **std::move(record)};
}

std::optional<Finding> TreeMender::Refuse(std::uint64_t index,
                                          const MediaEntry& entry) {
  if (IsFile(entry)) {
    const Node* const volume =
        player_.TreeVolumeAbove(PathFromField(entry.file.path));
    if (volume != nullptr) return RefusePiece(index, *volume, entry.file);
  } else if (const std::optional<Record> now = RecordOf(entry)) {
    LookAtRecord(*now);
    return std::nullopt;
  }
  last_ = 0;
  return std::nullopt;
}

std::optional<Finding> TreeMender::RefusePiece(std::uint64_t index,
                                               const Node& volume,
                                               const MediaFile& piece) {
  const std::string_view path = PathFromField(piece.path);
  const std::optional<TreeName> name = NameIn(path);
  const NodeId before = std::exchange(last_, 0);
  if (!any_damage_ || !name || !name->piece) return std::nullopt;
  if (const auto dead = DeletionNumberOf(piece); !dead.ok() || *dead != 0) {
    return std::nullopt;
  }
  const NodeId id = player_.tree().IdOfTreeNode(volume.name, name->id);
  last_ = id;
  const Node* const node = player_.tree().FindTreeNode(volume, name->id);
  if (node == nullptr) {
    // The player leaves it out. A later record makes its file without it.
    broken_.insert(id);
    return std::nullopt;
  }
  const TreeNode& tree = *node->tree;
  const std::uint64_t next =
      tree.pieces.empty() ? 0 : tree.pieces.back().number + std::uint64_t{1};
  const bool follows = *name->piece == next;
  // A file that is as long as its size needs its pieces, and gets the next one
  // when it grows; while a compacted log gives it its pieces one after the
  // other, it is shorter.
  const bool is_short = before != id && tree.record.size > tree.allocated;
  const bool is_lost = *name->piece > tree.record.next_piece ||
                       (!follows && (doubted_.contains(id) || is_short));
  if (!is_lost && !broken_.contains(id)) return std::nullopt;
  broken_.insert(id);
  return Finding{
      .severity = Severity::kError,
      .entry = index,
      .rule = "piece",
      .message = fmt::format(
          "piece '{}' of file '{}' is left out: an entry before it cannot be "
          "read, so nobody knows where in the file its bytes belong",
          Printable(path), Printable(player_.tree().PathOf(*node)))};
}

/// What a record says of pieces that should be there by now.
void TreeMender::LookAtRecord(const Record& now) {
  const NodeId id = player_.tree().IdOfTreeNode(now.volume->name, now.id);
  last_ = id;
  if (!any_damage_) return;
  const Node* const node = player_.tree().FindTreeNode(*now.volume, now.id);
  if (node == nullptr || now.record.kind != NodeKind::kFile) return;
  const TreeNode& tree = *node->tree;
  if (now.record.next_piece > tree.record.next_piece) broken_.insert(id);
  if (now.record.truncation == tree.record.truncation + 1 &&
      now.record.kept_pieces <= tree.pieces.size() &&
      now.record.next_piece == tree.record.next_piece) {
    // The pieces that are known are the first ones, so these are all now.
    broken_.erase(id);
    doubted_.erase(id);
  }
}

bool TreeMender::MakeUp(const Finding& finding, const MediaEntry& entry) {
  const std::optional<Record> now = RecordOf(entry);
  if (!now) return false;
  const Namespace& tree = player_.tree();
  const Node* const node = tree.FindTreeNode(*now->volume, now->id);
  const Node* const parent =
      tree.FindTreeNode(*now->volume, now->record.parent);
  if (finding.rule == "parent" && parent == nullptr) {
    return MakeParent(finding, *now);
  }
  if (finding.rule == "duplicate" && parent != nullptr) {
    const Node* const there = tree.Lookup(parent->id, now->record.name);
    return there != nullptr &&
           MoveAside(finding, *now->volume, *there, *parent);
  }
  if (finding.rule == "cycle" && parent != nullptr) {
    return MoveAside(finding, *now->volume, *parent, *now->volume);
  }
  return finding.rule == "piece" && node != nullptr &&
         now->record.state == NodeState::kLive && ForgetPieces(finding, *now);
}

bool TreeMender::MakeParent(const Finding& finding, const Record& now) {
  const Namespace& tree = player_.tree();
  const TreeId id = now.record.parent;
  Node made;
  made.is_directory = true;
  made.owner = {.uid = 0, .gid = 0, .mode = 0700};
  made.tree = std::make_unique<TreeNode>();
  made.tree->id = id;
  made.tree->record.kind = NodeKind::kDirectory;
  made.tree->record.revision = 0;  // any record of its own comes after
  const Node* const added = player_.tree_.AddTreeNode(
      *now.volume, tree.IdOfTreeNode(now.volume->name, id), MadeUpName(id),
      std::move(made));
  if (added == nullptr) return false;
  ++player_.usage_[std::string(now.volume->name)].entries;
  Tell(finding,
       fmt::format("the record of the directory {:016x} of the volume '{}' "
                   "cannot be read; it stands at the volume's root as '{}', "
                   "with owner 0 and mode 0700",
                   id, Printable(now.volume->name), MadeUpName(id)));
  return true;
}

/// Puts a node into `parent` under a name of its own.
bool TreeMender::MoveAside(const Finding& finding, const Node& volume,
                           const Node& node, const Node& parent) {
  if (node.tree == nullptr || node.volume != nullptr) return false;
  const std::string name = MadeUpName(node.tree->id);
  if (player_.tree().Lookup(parent.id, name) != nullptr) return false;
  const std::string before = player_.tree().PathOf(node);
  NodeRecord record = RecordAt(player_.tree(), node);
  record.name = name;
  record.parent = parent.tree->id;
  player_.tree_.SetRecord(node, parent, record, node.owner);
  Tell(finding,
       fmt::format("what became of '{}' in the volume '{}' cannot be read; it "
                   "stands as '{}'",
                   Printable(before), Printable(volume.name),
                   Printable(player_.tree().PathOf(node))));
  return true;
}

/// Of a file that was cut by an entry that cannot be read: which of its pieces
/// it still has, nobody knows.
bool TreeMender::ForgetPieces(const Finding& finding, const Record& now) {
  const Node& node = *player_.tree().FindTreeNode(*now.volume, now.id);
  const TreeNode& tree = *node.tree;
  if (tree.record.kind != NodeKind::kFile ||
      now.record.kind != NodeKind::kFile ||
      now.record.truncation <= tree.record.truncation) {
    return false;
  }
  player_.DropPieces(*now.volume, node, 0, now.record.deletion_number);
  NodeRecord record = RecordAt(player_.tree(), node);
  record.truncation = now.record.truncation;
  player_.tree_.SetRecord(node, *player_.tree().Find(node.parent), record,
                          node.owner);
  broken_.insert(node.id);
  Tell(finding, fmt::format("an entry that cut file '{}' cannot be read; none "
                            "of its bytes is given out",
                            Printable(player_.tree().PathOf(node))));
  return true;
}

bool TreeMender::NamesLostVolume(const Finding& finding,
                                 const MediaEntry& entry,
                                 std::string_view& volume) {
  if (!IsMkdir(entry) && !IsFile(entry)) return false;
  const std::string_view path =
      PathFromField(IsMkdir(entry) ? entry.mkdir.path : entry.file.path);
  const std::optional<TreeName> name = NameIn(path);
  if (!name) return false;
  volume = path.substr(0, path.find('/'));
  if (IsMkdir(entry)) {
    const auto record = DecodeNodeRecord(entry.mkdir);
    return finding.rule == "record" && !name->piece && record.ok() &&
           record->has_value();
  }
  // Else it would be taken for a file of an ordinary directory.
  return finding.rule == "parent" && name->piece &&
         DeletionNumberOf(entry.file).ok();
}

void TreeMender::MakeVolume(const Finding& finding, std::string_view path) {
  const Node* const there = player_.tree().FindDirectory(path);
  if (there == nullptr || there->volume != nullptr) return;
  auto attributes = std::make_unique<VolumeAttributes>();
  attributes->name = std::string(path);
  attributes->layout = VolumeLayout::kTree;
  attributes->revision = 0;  // any entry of its own comes after
  player_.usage_[std::string(path)];
  player_.tree_.SetVolume(there->id, std::move(attributes));
  any_damage_ = true;
  Tell(finding, fmt::format("the entry of the tree volume '{}' cannot be read; "
                            "its name and capacity are not known",
                            Printable(path)));
}

void TreeMender::Tell(const Finding& finding, std::string message) {
  damage_.Add({.severity = Severity::kError,
               .entry = finding.entry,
               .rule = finding.rule,
               .message = std::move(message)});
}

}  // namespace famfs
