// What the log says, as a tree: directories, files with their extents, volumes'
// attributes. Built by LogPlayer, read by the server, the tools, the driver.
//
// Node ids are stable: a keyed hash of the file system's uuid, the path and (of
// a file) its first extent, so a server that follows another answers for inodes
// that it never saw. The root is 1; no other node is 0 or 1. An entry whose id
// collides with another node's breaks the rule "id": it is left out and told.
//
// Below the directory of a tree volume a node stands where its record says
// (media/node_record.h), and its id is the hash of the path of its entry,
// `<volume>/<id>`: never of its name, its parent or its pieces, which change.
//
// Made for a million nodes: a node (node.h) is 128 bytes and its name, both in
// chunks that never move (node_storage.h); two hash tables of 8 bytes an entry
// (node_index.h) find it by its id and by its parent's id and its name. A
// directory's children are a list in the order in which the log made them,
// which every server sees alike, also after a compaction; who wants them by
// name sorts. A removed tree's places are used again.
//
// Not thread-safe; Reader and Writer lock. Const members may run side by side.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "instance/tree/node.h"
#include "instance/tree/node_index.h"
#include "instance/tree/node_storage.h"
#include "media/format.h"
#include "media/volume_attributes.h"

namespace famfs {

/// The children of a directory, in the order of the log:
///   for (const Node& child : tree.Children(directory)) ...
/// Valid until the tree changes.
class ChildRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Node;
    using difference_type = std::ptrdiff_t;
    using pointer = const Node*;
    using reference = const Node&;

    Iterator() = default;
    Iterator(const NodeStore* store, std::uint32_t slot)
        : store_(store), slot_(slot) {}
    const Node& operator*() const { return store_->At(slot_); }
    const Node* operator->() const { return &store_->At(slot_); }
    Iterator& operator++() {
      slot_ = NextOf(store_->At(slot_));
      return *this;
    }
    Iterator operator++(int) { return std::exchange(*this, ++Iterator(*this)); }
    bool operator==(const Iterator& other) const {
      return slot_ == other.slot_;
    }

   private:
    const NodeStore* store_ = nullptr;
    std::uint32_t slot_ = 0;
  };

  ChildRange(const NodeStore& store, const Node& directory)
      : store_(&store), first_(directory.first_child_) {}
  [[nodiscard]] Iterator begin() const { return {store_, first_}; }
  [[nodiscard]] Iterator end() const { return {store_, 0}; }

 private:
  static std::uint32_t NextOf(const Node& node) { return node.next_; }

  const NodeStore* store_;
  std::uint32_t first_;
};

/// All nodes, in no order that means anything:
///   for (const auto& [id, node] : tree.nodes()) ... node->size
/// Valid until the tree changes.
class NodeRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::pair<NodeId, const Node*>;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = value_type;

    Iterator(const NodeStore* store, std::uint32_t slot)
        : store_(store), slot_(slot) {
      SkipFree();
    }
    value_type operator*() const {
      const Node& node = store_->At(slot_);
      return {node.id, &node};
    }
    Iterator& operator++() {
      ++slot_;
      SkipFree();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const {
      return slot_ == other.slot_;
    }

   private:
    void SkipFree() {
      while (slot_ < store_->end() && store_->At(slot_).id == 0) ++slot_;
    }
    const NodeStore* store_;
    std::uint32_t slot_;
  };

  explicit NodeRange(const NodeStore& store) : store_(&store) {}
  [[nodiscard]] Iterator begin() const { return {store_, 1}; }
  [[nodiscard]] Iterator end() const { return {store_, store_->end()}; }

 private:
  const NodeStore* store_;
};

/// The id that a node of this path has or would have in the file system with
/// this uuid; `first` is the file's first extent, null for a directory. `path`
/// <= kMaxPathLength bytes.
[[nodiscard]] NodeId NodeIdOf(const Uuid& fs_uuid, std::string_view path,
                              const MediaExtent* first);

/// What a node is found by, worked out before its parent is known to be there,
/// by whatever thread (fast_play.h).
struct NodeKey {
  NodeId id = 0;
  NodeId parent = 0;
  std::uint32_t id_hash = 0;
  std::uint32_t name_hash = 0;

  NodeKey() = default;
  NodeKey(NodeId node, NodeId directory, std::string_view name);
};

/// Of the file of a volume of layout `file`: it has its directory's rights to
/// read and write, and nobody executes it.
inline constexpr std::uint32_t kDataModeBits = 0666;

class Namespace {
 public:
  /// Holds the root and the two .meta files.
  Namespace(const Uuid& fs_uuid, std::uint64_t log_length);

  [[nodiscard]] const Node* Find(NodeId id) const;  // null: unknown
  [[nodiscard]] const Node* Lookup(NodeId parent, std::string_view name) const;
  /// "" is the root. Relative, no leading '/'. By names, also in tree volumes:
  /// what a user calls it.
  [[nodiscard]] const Node* FindPath(std::string_view path) const;
  /// A node of a tree volume by the id of its record; kVolumeRoot: the volume's
  /// directory. Null: there is none.
  [[nodiscard]] const Node* FindTreeNode(const Node& volume, TreeId id) const;
  /// The id that such a node has or would have here.
  [[nodiscard]] NodeId IdOfTreeNode(std::string_view volume, TreeId id) const;
  /// What the device's own file for it is called, where it has such; empty for
  /// what is no file of a tree volume.
  [[nodiscard]] std::string NodeFileOf(const Node& node) const;
  /// Whether `node` is `directory` or stands anywhere below it.
  [[nodiscard]] bool IsWithin(const Node& node, const Node& directory) const;
  [[nodiscard]] std::string PathOf(const Node& node) const;
  /// The volume directory that `id` is or lies in; null outside of volumes.
  [[nodiscard]] const Node* VolumeOf(NodeId id) const;
  /// A live volume by its CSI name. Snapshots have names of their own.
  [[nodiscard]] const Node* FindVolume(
      std::string_view csi_name, VolumeKind kind = VolumeKind::kVolume) const;
  /// Live volumes (and, later, snapshots) by directory name, in order.
  [[nodiscard]] const absl::btree_map<std::string, NodeId>& volumes() const {
    return volumes_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] NodeRange nodes() const { return NodeRange(store_); }
  /// None for a file.
  [[nodiscard]] ChildRange Children(const Node& directory) const {
    return {store_, directory};
  }
  /// The same by name, for listings that a person reads.
  [[nodiscard]] std::vector<const Node*> SortedChildren(
      const Node& directory) const;

  /// A directory by the path of its entry in the log, outside of tree volumes:
  /// one hash of the path, one look-up. "" is the root.
  [[nodiscard]] const Node* FindDirectory(std::string_view path) const;
  /// The same when the path's id is known.
  [[nodiscard]] const Node* FindDirectory(std::string_view path,
                                          NodeId id) const;
  [[nodiscard]] NodeId IdOf(std::string_view path,
                            const MediaExtent* first) const {
    return NodeIdOf(fs_uuid_, path, first);
  }

  /// Whether the owner of the file in the directory is the directory's: that of
  /// a volume of layout `file` which was changed since it was made. No entry
  /// changes a file's owner (docs/format.md, "Volumes").
  [[nodiscard]] static bool SharesOwner(const Node& directory);
  [[nodiscard]] static Ownership OwnerOfFileIn(const Node& directory);

  // For LogPlayer, which has checked the rules before.
  /// The node's id; 0, and nothing added, when it collides with another node's,
  /// or when there is no such parent. `path` is the node's whole path (at most
  /// kMaxPathLength bytes); its last component becomes the name.
  NodeId Add(NodeId parent, std::string_view path, Node node);
  /// The same with the key at hand. Null, and nothing added, when a node has
  /// this id, or this parent and name. `parent` is a directory of this tree.
  const Node* Add(const Node& parent, const NodeKey& key, std::string_view name,
                  Node node);
  /// Makes room for `nodes` in all.
  void Reserve(std::size_t nodes);
  /// Starts loading what Add of this key will look at.
  [[gnu::always_inline]] void Prefetch(const NodeKey& key) const {
    by_id_.Prefetch(key.id_hash);
    by_name_.Prefetch(key.name_hash);
  }
  /// Also of the file of a volume of layout `file` (SharesOwner).
  void SetOwner(NodeId id, const Ownership& owner);
  /// Null: the directory becomes an ordinary one.
  void SetVolume(NodeId id, std::unique_ptr<const VolumeAttributes> volume);
  /// Removes a node and all below it; their ids, children first.
  std::vector<NodeId> RemoveTree(NodeId id);

  // The same of tree volumes.
  /// Adds the node that a record makes, at the end of its parent's list. Null,
  /// and nothing added, as with Add.
  const Node* AddTreeNode(const Node& parent, NodeId id, std::string_view name,
                          Node node);
  /// Takes up the next revision of a node's record, with owner, name and place.
  /// No node has that name there, and the parent is not below the node.
  void SetRecord(const Node& node, const Node& parent, const NodeRecord& record,
                 const Ownership& owner);
  void AppendPiece(const Node& node, std::uint32_t number,
                   std::span<const MediaExtent> extents);
  /// The pieces behind the first `kept`, which the node has no longer.
  struct DroppedPiece {
    std::uint32_t number = 0;
    std::vector<MediaExtent> extents;
  };
  std::vector<DroppedPiece> DropPieces(const Node& node, std::size_t kept);
  /// Something was made, removed or renamed in the directory.
  void TouchDirectory(const Node& directory, std::int64_t when_ns);

 private:
  Node* Mutable(NodeId id);
  [[nodiscard]] const Node* FindHashed(std::uint32_t hash, NodeId id) const;
  [[nodiscard]] const Node* LookupHashed(std::uint32_t hash, NodeId parent,
                                         std::string_view name) const;
  void AddMetaFile(std::string_view path, MediaExtent extent);
  void ShareOwner(const Node& directory);
  [[nodiscard]] const Node* FindBelow(const Node& volume,
                                      std::string_view path) const;
  void Move(Node& node, Node& directory, std::string_view name);
  void Link(Node& directory, Node& child);
  void Unlink(Node& child);
  void Remove(Node& node);

  Uuid fs_uuid_;
  NodeStore store_;
  NameStore names_;
  NodeIndex by_id_;
  NodeIndex by_name_;  // parent's id and name
  std::size_t size_ = 0;
  absl::btree_map<std::string, NodeId> volumes_;             // by directory
  absl::flat_hash_map<std::string, NodeId> volume_by_name_;  // kind, CSI name
};

}  // namespace famfs
