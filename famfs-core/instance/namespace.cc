#include "instance/namespace.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "instance/node_hash.h"

namespace famfs {
namespace {

// Debian's abseil has a string_view of its own (base/status.h).
absl::string_view Abseil(std::string_view text) {
  return {text.data(), text.size()};
}

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

}  // namespace

Location Locate(const Node& node, std::uint64_t offset) {
  if (node.chunk > 0) {
    const std::uint64_t index = offset / node.chunk;
    const std::uint64_t in_chunk = offset % node.chunk;
    const MediaExtent& strip = node.extents[index % node.extents.size()];
    const std::uint64_t row = index / node.extents.size();
    return {.device_index = strip.device_index,
            .device_offset = strip.offset + row * node.chunk + in_chunk,
            .length = std::min(node.chunk - in_chunk, node.size - offset)};
  }
  std::uint64_t skipped = 0;
  for (const MediaExtent& extent : node.extents) {
    if (const std::uint64_t in_extent = offset - skipped;
        in_extent < extent.length) {
      return {
          .device_index = extent.device_index,
          .device_offset = extent.offset + in_extent,
          .length = std::min(extent.length - in_extent, node.size - offset)};
    }
    skipped += extent.length;
  }
  return {};  // a size beyond the extents: the player lets none in
}

Namespace::Namespace(const Uuid& fs_uuid, std::uint64_t log_length)
    : fs_uuid_(fs_uuid) {
  auto root = std::make_unique<Node>();
  root->id = kRootNode;
  root->parent = kRootNode;
  root->is_directory = true;
  nodes_.emplace(kRootNode, std::move(root));
  auto meta = std::make_unique<Node>();
  meta->is_directory = true;
  meta->is_meta = true;
  Add(kRootNode, ".meta", std::move(meta));
  AddMetaFile(".meta/.superblock", {0, kSuperblockOffset, kSuperblockRegion});
  AddMetaFile(".meta/.log", {0, kLogOffset, log_length});
}

void Namespace::AddMetaFile(std::string_view path, MediaExtent extent) {
  auto node = std::make_unique<Node>();
  node->is_meta = true;
  node->owner.mode = 0444;
  node->size = extent.length;
  node->extents = {extent};
  Add(IdOf(".meta", nullptr), path, std::move(node));
}

const Node* Namespace::Find(NodeId id) const {
  const auto it = nodes_.find(id);
  return it == nodes_.end() ? nullptr : it->second.get();
}

Node* Namespace::Mutable(NodeId id) {
  const auto it = nodes_.find(id);
  return it == nodes_.end() ? nullptr : it->second.get();
}

const Node* Namespace::Lookup(NodeId parent, std::string_view name) const {
  const Node* directory = Find(parent);
  if (directory == nullptr) return nullptr;
  const auto it = directory->children.find(Abseil(name));
  return it == directory->children.end() ? nullptr : Find(it->second);
}

const Node* Namespace::FindDirectory(std::string_view path) const {
  if (path.empty()) return Find(kRootNode);
  if (path.size() > kMaxPathLength) return nullptr;
  const Node* found = Find(IdOf(path, nullptr));
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

const Node* Namespace::FindPath(std::string_view path) const {
  if (path.empty()) return Find(kRootNode);
  const std::size_t slash = path.rfind('/');
  if (slash == 0) return nullptr;
  const Node* parent = FindDirectory(
      path.substr(0, slash == std::string_view::npos ? 0 : slash));
  return parent == nullptr ? nullptr : Lookup(parent->id, LastComponent(path));
}

std::string Namespace::PathOf(const Node& node) const {
  std::string path = node.name;
  for (const Node* up = Find(node.parent); up != nullptr && up->id != kRootNode;
       up = Find(up->parent)) {
    path.insert(0, up->name + '/');
  }
  return path;
}

const Node* Namespace::VolumeOf(NodeId id) const {
  const Node* node = Find(id);
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

NodeId Namespace::IdOf(std::string_view path, const MediaExtent* first) const {
  // path, NUL, and for a file the place of its first byte: a path made again
  // after a compaction is another inode.
  std::array<std::byte, kPathField + 16> bytes{};
  const std::size_t length = std::min(path.size(), kPathField - 1);
  std::memcpy(bytes.data(), path.data(), length);
  std::size_t used = length + 1;
  if (first != nullptr) {
    std::memcpy(bytes.data() + used, &first->device_index, 8);
    std::memcpy(bytes.data() + used + 8, &first->offset, 8);
    used += 16;
  }
  const NodeId id = SipHash(fs_uuid_, std::span(bytes).first(used));
  return id > kRootNode ? id : id + 2;
}

NodeId Namespace::Add(NodeId parent, std::string_view path,
                      std::unique_ptr<Node> node) {
  Node* directory = Mutable(parent);
  if (directory == nullptr) return 0;
  const NodeId id =
      IdOf(path, node->is_directory ? nullptr : node->extents.data());
  const std::string_view name = LastComponent(path);
  node->id = id;
  node->parent = parent;
  node->name = name;
  if (!nodes_.try_emplace(id, std::move(node)).second) return 0;
  directory->children.emplace(name, id);
  return id;
}

void Namespace::SetOwner(NodeId id, const Ownership& owner) {
  if (Node* node = Mutable(id); node != nullptr) node->owner = owner;
}

void Namespace::SetVolume(NodeId id,
                          std::unique_ptr<const VolumeAttributes> volume) {
  Node* node = Mutable(id);
  if (node == nullptr) return;
  if (node->volume != nullptr) {
    volume_by_name_.erase(NameKey(node->volume->kind, node->volume->name));
    if (volume == nullptr) volumes_.erase(node->name);
  }
  if (volume != nullptr) {
    volume_by_name_.insert_or_assign(NameKey(volume->kind, volume->name), id);
    volumes_.insert_or_assign(node->name, id);
  }
  node->volume = std::move(volume);
}

std::vector<NodeId> Namespace::RemoveTree(NodeId id) {
  std::vector<NodeId> removed;
  Node* top = Mutable(id);
  if (top == nullptr || id == kRootNode) return removed;
  // Parents first while collecting; a stack would be as deep as the tree.
  removed.push_back(id);
  for (std::size_t i = 0; i < removed.size(); ++i) {
    for (const auto& [name, child] : Find(removed[i])->children) {
      removed.push_back(child);
    }
  }
  std::reverse(removed.begin(), removed.end());
  Mutable(top->parent)->children.erase(top->name);
  for (const NodeId gone : removed) {
    SetVolume(gone, nullptr);
    nodes_.erase(gone);
  }
  return removed;
}

}  // namespace famfs
