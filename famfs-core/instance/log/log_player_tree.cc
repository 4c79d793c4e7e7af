// The rules of tree volumes: node records and pieces (docs/format.md, "Tree
// volumes").
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "instance/log/log_player.h"

namespace famfs {
namespace {

Ownership OwnerOf(const MediaMkdir& mkdir) {
  return {.uid = mkdir.uid, .gid = mkdir.gid, .mode = mkdir.mode};
}

/// What stands behind the volume's directory.
std::string_view NameIn(const Node& volume, std::string_view path) {
  return path.substr(volume.name.size() + 1);
}

}  // namespace

const Node* LogPlayer::TreeVolumeAbove(std::string_view path) const {
  const std::size_t slash = path.find('/');
  if (usage_.empty() || slash == std::string_view::npos) return nullptr;
  const Node* volume = tree_.FindDirectory(path.substr(0, slash));
  return volume != nullptr && volume->tree != nullptr ? volume : nullptr;
}

LogPlayer::Verdict LogPlayer::ApplyNode(const Node& volume,
                                        const MediaMkdir& mkdir) {
  const std::string_view path = PathFromField(mkdir.path);
  const absl::StatusOr<std::optional<NodeRecord>> decoded =
      DecodeNodeRecord(mkdir);
  if (!decoded.ok()) {
    const bool newer = absl::IsFailedPrecondition(decoded.status());
    return Broken{newer ? "version" : "record",
                  std::string(Message(decoded.status()))};
  }
  const std::optional<TreeName> name = ParseTreeName(NameIn(volume, path));
  if (!decoded->has_value() || !name || name->piece) {
    return Broken{"record", fmt::format("directory '{}' in a tree volume has "
                                        "no node record",
                                        Printable(path))};
  }
  const NodeRecord& record = **decoded;
  if (Verdict verdict = ApplyRecord(volume, name->id, mkdir, record)) {
    return verdict;
  }
  if (record.request.number == 0 ||
      record.request.number > RequestMark::kMaxNumber) {
    return std::nullopt;
  }
  // Of a batch, the last record is the node's that the request was about.
  DoneRequest& done = done_[record.request.session];
  if (record.request.number >= done.number) {
    done = {
        .number = record.request.number, .node = name->id, .size = record.size};
  }
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::ApplyRecord(const Node& volume, TreeId id,
                                          const MediaMkdir& mkdir,
                                          const NodeRecord& record) {
  const std::string_view path = PathFromField(mkdir.path);
  const Node* node = tree_.FindTreeNode(volume, id);
  if (node == nullptr) return ApplyNewNode(volume, id, mkdir, record);
  if (record.revision <= node->tree->record.revision) {
    return Broken{
        "revision",
        fmt::format("node '{}' has the revision {} after {}", Printable(path),
                    record.revision, node->tree->record.revision)};
  }
  if (record.kind != node->tree->record.kind) {
    return Broken{"kind", fmt::format("node '{}' changes its kind from {} to "
                                      "{}",
                                      Printable(path),
                                      static_cast<int>(node->tree->record.kind),
                                      static_cast<int>(record.kind))};
  }
  if (record.state == NodeState::kRemoved) {
    return ApplyRemoval(volume, *node, record);
  }
  return ApplyRevision(volume, *node, mkdir, record);
}

/// Where the record says that the node stands. `node` is null while it is not
/// there.
LogPlayer::Verdict LogPlayer::CheckPlaceOf(const Node& volume,
                                           const NodeRecord& record,
                                           const Node* node,
                                           const Node*& parent) const {
  parent = tree_.FindTreeNode(volume, record.parent);
  if (parent == nullptr || !parent->is_directory) {
    return Broken{"parent",
                  fmt::format("the node '{}' lies in the node {:016x}, which "
                              "{}",
                              Printable(record.name), record.parent,
                              parent == nullptr ? "no entry made before"
                                                : "is no directory")};
  }
  // Where it stays, it was judged when it came: pods make directories in each
  // other, and walking up takes as long as they are deep.
  if (node != nullptr && node->is_directory && node->parent != parent->id &&
      tree_.IsWithin(*parent, *node)) {
    return Broken{"cycle", fmt::format("directory '{}' would lie within itself",
                                       Printable(record.name))};
  }
  const Node* there = tree_.Lookup(parent->id, record.name);
  if (there == nullptr || there == node) return std::nullopt;
  return Broken{"duplicate", fmt::format("'{}' has that name already",
                                         Printable(tree_.PathOf(*there)))};
}

LogPlayer::Verdict LogPlayer::ApplyNewNode(const Node& volume, TreeId id,
                                           const MediaMkdir& mkdir,
                                           const NodeRecord& record) {
  const std::string_view path = PathFromField(mkdir.path);
  if (record.state != NodeState::kLive) {
    return Broken{"revision", fmt::format("node '{}' is removed, but no entry "
                                          "made it",
                                          Printable(path))};
  }
  const Node* parent = nullptr;
  if (Verdict verdict = CheckPlaceOf(volume, record, nullptr, parent)) {
    return verdict;
  }
  Node node;
  node.is_directory = record.kind == NodeKind::kDirectory;
  node.owner = OwnerOf(mkdir);
  node.tree = std::make_unique<TreeNode>();
  node.tree->id = id;
  node.tree->record = record;
  node.tree->record.name.clear();
  const Node* added =
      tree_.AddTreeNode(*parent, tree_.IdOfTreeNode(volume.name, id),
                        record.name, std::move(node));
  if (added == nullptr) {
    return Broken{"id", fmt::format("path '{}' has the node id of another path",
                                    Printable(path))};
  }
  // In a compacted log a later revision says when the node was changed last.
  constexpr std::uint32_t kMaking = 1;
  if (record.revision == kMaking) {
    tree_.TouchDirectory(*parent, record.ctime_ns);
  }
  ++usage_[std::string(volume.name)].entries;
  if (record_changes_) Record(Change::Kind::kAdded, *added);
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::ApplyRevision(const Node& volume,
                                            const Node& node,
                                            const MediaMkdir& mkdir,
                                            const NodeRecord& record) {
  const Node* parent = nullptr;
  if (Verdict verdict = CheckPlaceOf(volume, record, &node, parent)) {
    return verdict;
  }
  const TreeNode& tree = *node.tree;
  const bool cuts = record.truncation != tree.record.truncation;
  if (record.truncation < tree.record.truncation ||
      record.next_piece < tree.record.next_piece ||
      (cuts && record.kept_pieces > tree.pieces.size()) ||
      (cuts && record.kept_pieces < tree.pieces.size() &&
       record.deletion_number == 0)) {
    return Broken{"piece",
                  fmt::format("node {:016x}: truncation {} to {} of "
                              "{} pieces contradicts revision {}",
                              tree.id, record.truncation, record.kept_pieces,
                              tree.pieces.size(), tree.record.revision)};
  }
  if (cuts)
    DropPieces(volume, node, record.kept_pieces, record.deletion_number);
  const bool moves = node.parent != parent->id || node.name != record.name;
  Change change;
  change.kind = moves ? Change::Kind::kMoved : Change::Kind::kAttributes;
  change.id = node.id;
  change.in_tree = true;
  change.old_parent = node.parent;
  if (moves) {
    change.old_name = std::string(node.name);
    tree_.TouchDirectory(*tree_.Find(node.parent), record.ctime_ns);
    tree_.TouchDirectory(*parent, record.ctime_ns);
  }
  tree_.SetRecord(node, *parent, record, OwnerOf(mkdir));
  ++superseding_;
  if (record_changes_) {
    change.parent = node.parent;
    change.name = std::string(node.name);
    changes_.push_back(std::move(change));
  }
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::ApplyRemoval(const Node& volume, const Node& node,
                                           const NodeRecord& record) {
  if (node.children > 0) {
    return Broken{"parent",
                  fmt::format("directory '{}' is removed with {} "
                              "names in it",
                              Printable(tree_.PathOf(node)), node.children)};
  }
  if (record_changes_) Record(Change::Kind::kRemoved, node);
  DropPieces(volume, node, 0, record.deletion_number);
  --usage_[std::string(volume.name)].entries;
  tree_.TouchDirectory(*tree_.Find(node.parent), record.ctime_ns);
  tree_.RemoveTree(node.id);
  superseding_ += 2;  // what made it, and this
  return std::nullopt;
}

/// Those behind the first `kept` wait for the hosts from now on.
void LogPlayer::DropPieces(const Node& volume, const Node& node,
                           std::size_t kept, std::uint64_t deletion_number) {
  const TreeId id = node.tree->id;
  for (Namespace::DroppedPiece& piece : tree_.DropPieces(node, kept)) {
    std::string path = PiecePath(volume.name, id, piece.number);
    PendingVolume& dead = pending_[std::move(path)];
    dead = {.deletion_number = deletion_number,
            .extents = std::move(piece.extents)};
    --live_pieces_;
    TreeUsage& usage = usage_[std::string(volume.name)];
    --usage.entries;
    usage.dead += dead.bytes();
  }
}

LogPlayer::Verdict LogPlayer::ApplyPiece(const Node& volume,
                                         const MediaFile& file) {
  const std::string_view path = PathFromField(file.path);
  const std::optional<TreeName> name = ParseTreeName(NameIn(volume, path));
  const absl::StatusOr<std::uint64_t> dead = DeletionNumberOf(file);
  if (!name || !name->piece || *name->piece == kNoPiece || !dead.ok()) {
    return Broken{"piece",
                  fmt::format("file '{}' in a tree volume is no piece of a "
                              "node{}{}",
                              Printable(path), dead.ok() ? "" : ": ",
                              dead.ok() ? "" : Message(dead.status()))};
  }
  const std::span<const MediaExtent> extents = ExtentsOf(file);
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : extents) bytes += extent.length;
  if (extents.data() == file.interleave.strips || bytes != file.size) {
    return Broken{"piece", fmt::format("piece '{}' does not fill its extents",
                                       Printable(path))};
  }
  if (*dead != 0) return ApplyDeadPiece(volume, path, *dead, extents);
  const Node* node = tree_.FindTreeNode(volume, name->id);
  if (node == nullptr || node->tree->record.kind != NodeKind::kFile ||
      name->id == kVolumeRoot) {
    return Broken{"piece",
                  fmt::format("piece '{}' is of no file", Printable(path))};
  }
  // After a compaction the record, which comes first, has counted it already:
  // then only their order tells.
  const TreeNode& tree = *node->tree;
  const bool in_order =
      tree.pieces.empty() || *name->piece > tree.pieces.back().number;
  if (!in_order) {
    return Broken{
        "piece", fmt::format("piece '{}' comes after piece {}", Printable(path),
                             tree.pieces.back().number)};
  }
  if (Verdict verdict = CheckNotPending(path)) return verdict;
  if (Verdict verdict = TakeExtents(extents)) return verdict;
  tree_.AppendPiece(*node, *name->piece, extents);
  ++live_pieces_;
  TreeUsage& usage = usage_[std::string(volume.name)];
  usage.bytes += bytes;
  ++usage.entries;
  if (record_changes_) Record(Change::Kind::kAttributes, *node);
  return std::nullopt;
}

LogPlayer::Verdict LogPlayer::CheckNotPending(std::string_view path) const {
  if (!pending_.contains(Abseil(path))) return std::nullopt;
  return Broken{"duplicate", fmt::format("the piece '{}', which is dead, "
                                         "exists: an earlier entry made it",
                                         Printable(path))};
}

LogPlayer::Verdict LogPlayer::ApplyDeadPiece(
    const Node& volume, std::string_view path, std::uint64_t deletion_number,
    std::span<const MediaExtent> extents) {
  if (Verdict verdict = CheckNotPending(path)) return verdict;
  if (Verdict verdict = TakeExtents(extents)) return verdict;
  PendingVolume& piece = pending_[std::string(path)];
  piece.deletion_number = deletion_number;
  piece.extents.assign(extents.begin(), extents.end());
  TreeUsage& usage = usage_[std::string(volume.name)];
  usage.bytes += piece.bytes();
  usage.dead += piece.bytes();
  return std::nullopt;
}

/// Before its nodes leave the tree: `dead` learns their pieces, and takes in
/// those that waited already.
void LogPlayer::DeleteTree(const Node& directory, PendingVolume& dead) {
  const std::string volume(directory.name);
  dead.is_tree = true;
  std::vector<const Node*> nodes = {&directory};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Node& child : tree_.Children(*nodes[i])) nodes.push_back(&child);
    if (nodes[i]->tree->record.kind == NodeKind::kFile) {
      dead.files.push_back(nodes[i]->tree->id);
    }
    std::size_t first = 0;
    for (const TreeNode::Piece& piece : nodes[i]->tree->pieces) {
      const auto* begin = nodes[i]->extents.begin() + first;
      dead.pieces.push_back(
          {PiecePath(volume, nodes[i]->tree->id, piece.number),
           std::vector<MediaExtent>(begin, begin + piece.extents)});
      first += piece.extents;
      --live_pieces_;
    }
  }
  superseding_ += nodes.size() - 1;  // what made them; pieces wait for hosts
  const std::string prefix = volume + '/';
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (!it->first.starts_with(prefix)) {
      ++it;
      continue;
    }
    dead.extents.insert(dead.extents.end(), it->second.extents.begin(),
                        it->second.extents.end());
    dead.pieces.push_back({it->first, std::move(it->second.extents)});
    pending_.erase(it++);
  }
  usage_.erase(volume);
}

}  // namespace famfs
