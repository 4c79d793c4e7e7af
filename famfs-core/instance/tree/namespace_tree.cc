// What a Namespace does for tree volumes: nodes that are renamed, grow and
// shrink.
#include <algorithm>

#include "instance/tree/namespace.h"

namespace famfs {
namespace {

/// What of the record's size the pieces hold: a record may come before its
/// pieces, and nothing may be looked for where no piece is.
void SetSize(Node& node) {
  const TreeNode& tree = *node.tree;
  switch (tree.record.kind) {
    case NodeKind::kFile:
      node.size = std::min(tree.record.size, tree.allocated);
      return;
    case NodeKind::kSymlink:
      node.size = tree.record.target.size();
      return;
    case NodeKind::kDirectory:
      node.size = 0;
  }
}

std::uint64_t BytesOf(std::span<const MediaExtent> extents) {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : extents) bytes += extent.length;
  return bytes;
}

}  // namespace

NodeId Namespace::IdOfTreeNode(std::string_view volume, TreeId id) const {
  return NodeIdOf(fs_uuid_, NodePath(volume, id), nullptr);
}

const Node* Namespace::FindTreeNode(const Node& volume, TreeId id) const {
  if (volume.tree == nullptr) return nullptr;
  if (id == kVolumeRoot) return &volume;
  const Node* node = Find(IdOfTreeNode(volume.name, id));
  // The hash names a candidate; a hostile log may have made another one.
  if (node == nullptr || node->tree == nullptr || node->tree->id != id ||
      node->volume != nullptr) {
    return nullptr;
  }
  return node;
}

std::string Namespace::NodeFileOf(const Node& node) const {
  if (node.tree == nullptr || node.tree->record.kind != NodeKind::kFile) {
    return {};
  }
  return NodeFileName(Find(node.tree->volume)->name, node.tree->id);
}

bool Namespace::IsWithin(const Node& node, const Node& directory) const {
  for (const Node* up = &node; up != nullptr; up = Find(up->parent)) {
    if (up->id == directory.id) return true;
    if (up->id == kRootNode) return false;
  }
  return false;
}

const Node* Namespace::AddTreeNode(const Node& parent, NodeId id,
                                   std::string_view name, Node node) {
  SetSize(node);
  node.tree->volume = parent.tree->volume;
  return Add(parent, NodeKey(id, parent.id, name), name, std::move(node));
}

void Namespace::SetRecord(const Node& node, const Node& parent,
                          const NodeRecord& record, const Ownership& owner) {
  Node& changed = store_.At(node.slot_);
  if (changed.parent != parent.id || changed.name != record.name) {
    Move(changed, store_.At(parent.slot_), record.name);
  }
  changed.owner = owner;
  changed.tree->record = record;
  changed.tree->record.name.clear();
  SetSize(changed);
}

void Namespace::AppendPiece(const Node& node, std::uint32_t number,
                            std::span<const MediaExtent> extents) {
  Node& changed = store_.At(node.slot_);
  changed.extents.append(extents);
  TreeNode& tree = *changed.tree;
  tree.pieces.push_back(
      {.number = number,
       .extents = static_cast<std::uint32_t>(extents.size())});
  tree.record.next_piece = std::max(tree.record.next_piece, number + 1);
  tree.allocated += BytesOf(extents);
  SetSize(changed);
}

std::vector<Namespace::DroppedPiece> Namespace::DropPieces(const Node& node,
                                                           std::size_t kept) {
  Node& changed = store_.At(node.slot_);
  TreeNode& tree = *changed.tree;
  std::vector<DroppedPiece> dropped;
  std::size_t first = 0;
  for (std::size_t i = 0; i < tree.pieces.size(); ++i) {
    const std::span<const MediaExtent> extents =
        std::span(changed.extents.data(), changed.extents.size())
            .subspan(first, tree.pieces[i].extents);
    if (i < kept) {
      first += extents.size();
      continue;
    }
    dropped.push_back(
        {tree.pieces[i].number,
         std::vector<MediaExtent>(extents.begin(), extents.end())});
    tree.allocated -= BytesOf(extents);
    first += extents.size();
  }
  if (dropped.empty()) return dropped;
  std::size_t left = 0;
  tree.pieces.resize(kept);
  for (const TreeNode::Piece& piece : tree.pieces) left += piece.extents;
  const std::vector<MediaExtent> remaining(changed.extents.begin(),
                                           changed.extents.begin() + left);
  changed.extents.assign(remaining);
  SetSize(changed);
  return dropped;
}

void Namespace::TouchDirectory(const Node& directory, std::int64_t when_ns) {
  Node& touched = store_.At(directory.slot_);
  if (touched.tree == nullptr) return;
  NodeRecord& record = touched.tree->record;
  // A record tells what has happened in the directory before it was written.
  if (when_ns <= record.ctime_ns) return;
  record.mtime_ns = record.ctime_ns = when_ns;
}

void Namespace::Move(Node& node, Node& directory, std::string_view name) {
  by_name_.Erase(NodeKey(node.id, node.parent, node.name).name_hash,
                 node.slot_);
  Unlink(node);
  names_.Release(node.name);
  node.name = names_.Add(name);
  node.parent = directory.id;
  by_name_.Insert(NodeKey(node.id, node.parent, node.name).name_hash,
                  node.slot_);
  Link(directory, node);
}

}  // namespace famfs
