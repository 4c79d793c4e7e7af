#include "instance/tree/namespace.h"

#include <absl/hash/hash.h>
#include <absl/strings/string_view.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/text.h"
#include "instance/tree/node_hash.h"

namespace famfs {
namespace {

/// What volume_by_name_ is keyed by: volumes and snapshots are named apart.
std::string NameKey(VolumeKind kind, std::string_view csi_name) {
  std::string key;
  key.reserve(csi_name.size() + 1);
  key += static_cast<char>(kind);
  key += csi_name;
  return key;
}

/// The part after the last '/'.
std::string_view LastComponent(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// absl's hash is seeded by each process: nobody can make a log whose nodes all
// fall together.
std::uint32_t Fold(std::size_t hash) {
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

std::uint32_t HashOf(NodeId id) { return Fold(absl::HashOf(id)); }

std::uint32_t HashOf(NodeId parent, std::string_view name) {
  return Fold(absl::HashOf(parent, Abseil(name)));
}

}  // namespace

NodeId NodeIdOf(const Uuid& fs_uuid, std::string_view path,
                const MediaExtent* first) {
  // path, NUL, and for a file the place of its first byte: a path made again
  // after a compaction is another inode.
  std::array<std::byte, kPathField + 16> bytes;
  const std::size_t length = std::min(path.size(), kPathField - 1);
  std::memcpy(bytes.data(), path.data(), length);
  bytes[length] = std::byte{0};
  std::size_t used = length + 1;
  if (first != nullptr) {
    std::memcpy(bytes.data() + used, &first->device_index, 8);
    std::memcpy(bytes.data() + used + 8, &first->offset, 8);
    used += 16;
  }
  const NodeId id =
      SipHash(fs_uuid, std::span(bytes).first(used)) & kNodeIdMask;
  return id > kRootNode ? id : id + 2;
}

NodeKey::NodeKey(NodeId node, NodeId directory, std::string_view name)
    : id(node),
      parent(directory),
      id_hash(HashOf(node)),
      name_hash(HashOf(directory, name)) {}

Namespace::Namespace(const Uuid& fs_uuid, std::uint64_t log_length)
    : fs_uuid_(fs_uuid) {
  Node root;
  root.id = kRootNode;
  root.parent = kRootNode;
  root.is_directory = true;
  const Node& placed = store_.Add(std::move(root));
  by_id_.Insert(HashOf(kRootNode), placed.slot_);
  size_ = 1;
  Node meta;
  meta.is_directory = true;
  meta.is_meta = true;
  Add(kRootNode, ".meta", std::move(meta));
  AddMetaFile(".meta/.superblock", {0, kSuperblockOffset, kSuperblockRegion});
  AddMetaFile(".meta/.log", {0, kLogOffset, log_length});
}

void Namespace::AddMetaFile(std::string_view path, MediaExtent extent) {
  Node node;
  node.is_meta = true;
  node.owner.mode = 0400;  // it names what 0700 directories hide
  node.size = extent.length;
  node.extents = {extent};
  Add(IdOf(".meta", nullptr), path, std::move(node));
}

const Node* Namespace::FindHashed(std::uint32_t hash, NodeId id) const {
  const std::uint32_t slot = by_id_.Find(
      hash, [&](std::uint32_t at) { return store_.At(at).id == id; });
  return slot == 0 ? nullptr : &store_.At(slot);
}

const Node* Namespace::LookupHashed(std::uint32_t hash, NodeId parent,
                                    std::string_view name) const {
  const std::uint32_t slot = by_name_.Find(hash, [&](std::uint32_t at) {
    const Node& node = store_.At(at);
    return node.parent == parent && node.name == name;
  });
  return slot == 0 ? nullptr : &store_.At(slot);
}

const Node* Namespace::Find(NodeId id) const {
  return FindHashed(HashOf(id), id);
}

Node* Namespace::Mutable(NodeId id) {
  const Node* node = Find(id);
  return node == nullptr ? nullptr : &store_.At(node->slot_);
}

const Node* Namespace::Lookup(NodeId parent, std::string_view name) const {
  return LookupHashed(HashOf(parent, name), parent, name);
}

std::vector<const Node*> Namespace::SortedChildren(
    const Node& directory) const {
  std::vector<const Node*> sorted;
  sorted.reserve(directory.children);
  for (const Node& child : Children(directory)) sorted.push_back(&child);
  std::sort(sorted.begin(), sorted.end(),
            [](const Node* a, const Node* b) { return a->name < b->name; });
  return sorted;
}

const Node* Namespace::FindDirectory(std::string_view path) const {
  if (path.empty()) return Find(kRootNode);
  if (path.size() > kMaxPathLength) return nullptr;
  return FindDirectory(path, IdOf(path, nullptr));
}

const Node* Namespace::FindDirectory(std::string_view path, NodeId id) const {
  const Node* found = Find(id);
  if (found == nullptr) return nullptr;
  // The hash names a candidate; its names, from the last to the first, prove
  // it.
  std::string_view rest = path;
  for (const Node* node = found; node->id != kRootNode;
       node = Find(node->parent)) {
    const std::size_t slash = rest.rfind('/');
    if (rest.substr(slash + 1) != node->name) return nullptr;
    const bool first = slash == std::string_view::npos;
    if (first != (node->parent == kRootNode)) return nullptr;
    if (!first) rest = rest.substr(0, slash);
  }
  return found;
}

/// Name by name: nothing is hashed of a whole path in a tree volume.
const Node* Namespace::FindBelow(const Node& volume,
                                 std::string_view path) const {
  const Node* node = &volume;
  for (std::size_t slash = path.find('/');
       slash != std::string_view::npos && node != nullptr;) {
    const std::size_t next = path.find('/', slash + 1);
    const std::size_t end = std::min(next, path.size());
    node = Lookup(node->id, path.substr(slash + 1, end - slash - 1));
    slash = next;
  }
  return node;
}

const Node* Namespace::FindPath(std::string_view path) const {
  if (path.empty()) return Find(kRootNode);
  const std::size_t slash = path.rfind('/');
  if (slash == 0) return nullptr;
  if (const Node* volume = FindDirectory(path.substr(0, path.find('/')));
      volume != nullptr && volume->tree != nullptr) {
    return FindBelow(*volume, path);
  }
  const Node* parent = FindDirectory(
      path.substr(0, slash == std::string_view::npos ? 0 : slash));
  return parent == nullptr ? nullptr : Lookup(parent->id, LastComponent(path));
}

std::string Namespace::PathOf(const Node& node) const {
  // From the end on: a tree volume may be as deep as it is large.
  std::vector<std::string_view> names = {node.name};
  std::size_t size = node.name.size();
  for (const Node* up = Find(node.parent); up != nullptr && up->id != kRootNode;
       up = Find(up->parent)) {
    names.push_back(up->name);
    size += up->name.size() + 1;
  }
  std::string path;
  path.reserve(size);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (name != names.rbegin()) path += '/';
    path += *name;
  }
  return path;
}

const Node* Namespace::VolumeOf(NodeId id) const {
  const Node* node = Find(id);
  if (node != nullptr && node->tree != nullptr) {
    const Node* volume = Find(node->tree->volume);
    return volume->volume == nullptr ? nullptr : volume;
  }
  while (node != nullptr && node->id != kRootNode) {
    if (node->volume != nullptr) return node;
    node = Find(node->parent);
  }
  return nullptr;
}

const Node* Namespace::FindVolume(std::string_view csi_name,
                                  VolumeKind kind) const {
  const auto it = volume_by_name_.find(NameKey(kind, csi_name));
  return it == volume_by_name_.end() ? nullptr : Find(it->second);
}

NodeId Namespace::Add(NodeId parent, std::string_view path, Node node) {
  const Node* const directory = Find(parent);
  if (directory == nullptr || path.size() > kMaxPathLength) return 0;
  const NodeId id =
      IdOf(path, node.is_directory ? nullptr : node.extents.data());
  const std::string_view name = LastComponent(path);
  const Node* const added =
      Add(*directory, NodeKey(id, parent, name), name, std::move(node));
  return added == nullptr ? 0 : id;
}

const Node* Namespace::Add(const Node& parent, const NodeKey& key,
                           std::string_view name, Node node) {
  if (FindHashed(key.id_hash, key.id) != nullptr ||
      LookupHashed(key.name_hash, key.parent, name) != nullptr) {
    return nullptr;
  }
  node.id = key.id;
  node.parent = key.parent;
  node.name = names_.Add(name);
  if (!node.is_directory && SharesOwner(parent)) {
    node.owner = OwnerOfFileIn(parent);
  }
  Node& added = store_.Add(std::move(node));
  by_id_.Insert(key.id_hash, added.slot_);
  by_name_.Insert(key.name_hash, added.slot_);
  Link(store_.At(parent.slot_), added);
  ++size_;
  return &added;
}

void Namespace::Reserve(std::size_t nodes) {
  by_id_.Reserve(nodes);
  by_name_.Reserve(nodes);
}

/// Appends the child to the directory's list.
void Namespace::Link(Node& directory, Node& child) {
  child.previous_ = directory.last_child_;
  child.next_ = 0;
  if (directory.last_child_ == 0) {
    directory.first_child_ = child.slot_;
  } else {
    store_.At(directory.last_child_).next_ = child.slot_;
  }
  directory.last_child_ = child.slot_;
  ++directory.children;
}

void Namespace::Unlink(Node& child) {
  Node& directory = *Mutable(child.parent);
  std::uint32_t& to_here = child.previous_ == 0
                               ? directory.first_child_
                               : store_.At(child.previous_).next_;
  std::uint32_t& back_to_here = child.next_ == 0
                                    ? directory.last_child_
                                    : store_.At(child.next_).previous_;
  to_here = child.next_;
  back_to_here = child.previous_;
  --directory.children;
}

void Namespace::SetOwner(NodeId id, const Ownership& owner) {
  Node* node = Mutable(id);
  if (node == nullptr) return;
  node->owner = owner;
  ShareOwner(*node);
}

bool Namespace::SharesOwner(const Node& directory) {
  return directory.volume != nullptr &&
         directory.volume->layout == VolumeLayout::kFile &&
         directory.volume->revision > 1;
}

Ownership Namespace::OwnerOfFileIn(const Node& directory) {
  Ownership owner = directory.owner;
  owner.mode &= kDataModeBits;
  return owner;
}

void Namespace::ShareOwner(const Node& directory) {
  if (!SharesOwner(directory)) return;
  for (std::uint32_t slot = directory.first_child_; slot != 0;) {
    Node& child = store_.At(slot);
    if (!child.is_directory) child.owner = OwnerOfFileIn(directory);
    slot = child.next_;
  }
}

void Namespace::SetVolume(NodeId id,
                          std::unique_ptr<const VolumeAttributes> volume) {
  Node* node = Mutable(id);
  if (node == nullptr) return;
  if (node->volume != nullptr) {
    volume_by_name_.erase(NameKey(node->volume->kind, node->volume->name));
    if (volume == nullptr) volumes_.erase(std::string(node->name));
  }
  if (volume != nullptr) {
    volume_by_name_.insert_or_assign(NameKey(volume->kind, volume->name), id);
    volumes_.insert_or_assign(std::string(node->name), id);
    if (volume->layout == VolumeLayout::kTree && node->tree == nullptr) {
      node->tree = std::make_unique<TreeNode>();
      node->tree->volume = id;
      NodeRecord& record = node->tree->record;
      record.kind = NodeKind::kDirectory;
      record.mtime_ns = record.ctime_ns =
          static_cast<std::int64_t>(volume->created_unix_ns);
    }
  }
  node->volume = std::move(volume);
  ShareOwner(*node);
}

std::vector<NodeId> Namespace::RemoveTree(NodeId id) {
  std::vector<NodeId> removed;
  Node* const top = Mutable(id);
  if (top == nullptr || id == kRootNode) return removed;
  // Parents first while collecting; a stack would be as deep as the tree.
  removed.push_back(id);
  for (std::size_t i = 0; i < removed.size(); ++i) {
    for (const Node& child : Children(*Find(removed[i]))) {
      removed.push_back(child.id);
    }
  }
  std::reverse(removed.begin(), removed.end());
  Unlink(*top);
  for (const NodeId gone : removed) Remove(*Mutable(gone));
  return removed;
}

/// Takes a node out of everything but its parent's list.
void Namespace::Remove(Node& node) {
  SetVolume(node.id, nullptr);
  by_id_.Erase(HashOf(node.id), node.slot_);
  by_name_.Erase(HashOf(node.parent, node.name), node.slot_);
  names_.Release(node.name);
  store_.Release(node);
  --size_;
}

}  // namespace famfs
