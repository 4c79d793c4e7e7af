#include "instance/tree/tree_diff.h"

namespace famfs {
namespace {

/// Every node, parents first.
std::vector<const Node*> InOrder(const Namespace& tree) {
  std::vector<const Node*> nodes;
  nodes.reserve(tree.size());
  nodes.push_back(tree.Find(kRootNode));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Node& child : tree.Children(*nodes[i])) nodes.push_back(&child);
  }
  return nodes;
}

bool SameAttributes(const Node& a, const Node& b) {
  if (a.owner != b.owner || a.size != b.size || a.extents != b.extents) {
    return false;
  }
  if (a.tree != nullptr && b.tree != nullptr &&
      a.tree->record != b.tree->record) {
    return false;
  }
  if (a.volume == nullptr || b.volume == nullptr) return a.volume == b.volume;
  return *a.volume == *b.volume;
}

Change MakeChange(Change::Kind kind, const Node& node) {
  Change change;
  change.kind = kind;
  change.id = node.id;
  change.parent = node.parent;
  change.name = std::string(node.name);
  change.in_tree = node.in_tree();
  return change;
}

}  // namespace

std::vector<Change> DiffTrees(const Namespace& before, const Namespace& after) {
  std::vector<Change> changes;
  const std::vector<const Node*> old_nodes = InOrder(before);
  for (auto it = old_nodes.rbegin(); it != old_nodes.rend(); ++it) {
    if (after.Find((*it)->id) == nullptr) {
      changes.push_back(MakeChange(Change::Kind::kRemoved, **it));
    }
  }
  for (const Node* node : InOrder(after)) {
    const Node* old = before.Find(node->id);
    if (old == nullptr) {
      changes.push_back(MakeChange(Change::Kind::kAdded, *node));
    } else if (old->parent != node->parent || old->name != node->name) {
      Change change = MakeChange(Change::Kind::kMoved, *node);
      change.old_parent = old->parent;
      change.old_name = std::string(old->name);
      changes.push_back(std::move(change));
    } else if (!SameAttributes(*old, *node)) {
      changes.push_back(MakeChange(Change::Kind::kAttributes, *node));
    }
  }
  return changes;
}

}  // namespace famfs
