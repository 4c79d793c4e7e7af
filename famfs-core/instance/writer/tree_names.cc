// What changes the names in a tree volume: making, removing, renaming.
#include <cerrno>

#include "instance/writer/tree_changes.h"

namespace famfs {
namespace {

constexpr std::uint32_t kSetGroupId = 02000;

/// The errno for a name that cannot be; 0: it can.
int CheckName(std::string_view name) {
  const absl::Status good = CheckNodeName(name);
  if (good.ok()) return 0;
  return absl::IsOutOfRange(good) ? ENAMETOOLONG : EINVAL;
}

/// The directory with that id; null with the errno.
const Node* FindDirectory(const Namespace& tree, const Node& volume, TreeId id,
                          int& error) {
  const Node* node = tree.FindTreeNode(volume, id);
  error = ESTALE;
  if (node == nullptr) return nullptr;
  error = node->is_directory ? 0 : ENOTDIR;
  return error == 0 ? node : nullptr;
}

/// Whether `from` may take the place of `to`, as rename(2) has it.
int CheckReplaces(const Node& from, const Node& to) {
  if (to.is_directory && !from.is_directory) return EISDIR;
  if (!to.is_directory && from.is_directory) return ENOTDIR;
  return to.children > 0 ? ENOTEMPTY : 0;
}

}  // namespace

int TreeChanges::PlanCreate(const Node& volume, Step& step) const {
  const TreeRequest& wanted = step.request;
  int error = CheckName(wanted.name);
  if (error != 0) return error;
  const Node* parent = FindDirectory(tree(), volume, wanted.parent, error);
  if (parent == nullptr) return error;
  if (tree().Lookup(parent->id, wanted.name) != nullptr) return EEXIST;
  Ownership owner{
      .uid = wanted.uid, .gid = wanted.gid, .mode = wanted.mode & 07777};
  if ((parent->owner.mode & kSetGroupId) != 0) {
    owner.gid = parent->owner.gid;
    if (wanted.kind == NodeKind::kDirectory) owner.mode |= kSetGroupId;
  }
  NodeRecord record;
  record.kind = wanted.kind;
  record.parent = wanted.parent;
  record.name = wanted.name;
  record.target = wanted.target;
  record.mtime_ns = record.ctime_ns = step.now_ns;
  record.request = step.mark;
  step.more = 1;
  return AddRecord(volume, step.node, record, owner, step);
}

int TreeChanges::PlanRemove(const Node& volume, Step& step) {
  int error = 0;
  const Node* parent =
      FindDirectory(tree(), volume, step.request.parent, error);
  if (parent == nullptr) return error;
  const Node* node = tree().Lookup(parent->id, step.request.name);
  if (node == nullptr) return ENOENT;
  const bool rmdir = (step.request.flags & kRemoveDirectory) != 0;
  if (rmdir && !node->is_directory) return ENOTDIR;
  if (!rmdir && node->is_directory) return EISDIR;
  if (node->children > 0) return ENOTEMPTY;
  step.node = node->tree->id;
  return AddRemoval(volume, *node, step);
}

int TreeChanges::PlanRename(const Node& volume, Step& step) {
  const TreeRequest& wanted = step.request;
  int error = CheckName(wanted.new_name);
  if (error != 0) return error;
  const Node* parent = FindDirectory(tree(), volume, wanted.parent, error);
  if (parent == nullptr) return error;
  const Node* directory =
      FindDirectory(tree(), volume, wanted.new_parent, error);
  if (directory == nullptr) return error;
  const Node* from = tree().Lookup(parent->id, wanted.name);
  const Node* to = tree().Lookup(directory->id, wanted.new_name);
  const bool exchange = (wanted.flags & kRenameExchange) != 0;
  const bool no_replace = (wanted.flags & kRenameNoReplace) != 0;
  if (exchange && no_replace) return EINVAL;
  if (from == nullptr || (exchange && to == nullptr)) return ENOENT;
  if (to != nullptr && no_replace) return EEXIST;
  step.node = from->tree->id;
  if (from == to) return 0;
  if (tree().IsWithin(*directory, *from)) return EINVAL;
  if (exchange) return PlanExchange(volume, *from, *to, step);
  if (to != nullptr) {
    if (error = CheckReplaces(*from, *to); error != 0) return error;
    if (error = AddRemoval(volume, *to, step); error != 0) return error;
  }
  NodeRecord record = Revise(*from, step);
  record.parent = wanted.new_parent;
  record.name = wanted.new_name;
  return AddRecord(volume, from->tree->id, record, from->owner, step);
}

/// A name that nobody has beside the node, as long as its own: a link with a
/// long target has room for no longer one. Empty: they are all taken.
std::string TreeChanges::NameAside(const Node& node) const {
  std::string name(node.name.size(), '\x01');
  while (!CheckNodeName(name).ok() ||
         tree().Lookup(node.parent, name) != nullptr) {
    std::size_t at = name.size();
    while (at > 0 && ++name[at - 1] == '\0') name[--at] = '\x01';
    if (at == 0) return {};
  }
  return name;
}

/// By a third name, which nobody sees: the batch is published as one.
int TreeChanges::PlanExchange(const Node& volume, const Node& from,
                              const Node& to, Step& step) const {
  if (tree().IsWithin(*tree().Find(from.parent), to)) return EINVAL;
  NodeRecord first = Revise(from, step);
  NodeRecord second = Revise(to, step);
  NodeRecord aside = first;
  aside.name = NameAside(from);
  std::swap(first.parent, second.parent);
  std::swap(first.name, second.name);
  ++first.revision;
  int error = AddRecord(volume, from.tree->id, aside, from.owner, step);
  if (error == 0)
    error = AddRecord(volume, to.tree->id, second, to.owner, step);
  if (error != 0) return error;
  return AddRecord(volume, from.tree->id, first, from.owner, step);
}

}  // namespace famfs
