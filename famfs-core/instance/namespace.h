// What the log says, as a tree: directories, files with their extents, volumes'
// attributes. Built by LogPlayer, read by the server, the tools, the driver.
//
// Node ids are stable: a keyed hash of the file system's uuid, the path and (of
// a file) its first extent, so a server that follows another answers for inodes
// that it never saw. The root is 1; no other node is 0 or 1. An entry whose id
// collides with another node's breaks the rule "id": it is left out and told.
//
// Not thread-safe; Reader and Writer lock.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "media/format.h"
#include "media/volume_attributes.h"

namespace famfs {

using NodeId = std::uint64_t;
inline constexpr NodeId kRootNode = 1;

/// Owner and permission bits, as the log stores them.
struct Ownership {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0755;  // permission bits only
  bool operator==(const Ownership&) const = default;
};

struct Node {
  NodeId id = 0;
  NodeId parent = 0;
  std::string name;  // last component; empty for the root
  bool is_directory = false;
  /// One of .meta/.superblock and .meta/.log, or .meta itself: not in the log.
  bool is_meta = false;
  Ownership owner;

  // Of a file.
  std::uint64_t size = 0;            // bytes
  std::uint64_t chunk = 0;           // bytes; 0: extents one after the other
  std::vector<MediaExtent> extents;  // or strips, when chunk > 0

  // Of a directory.
  absl::btree_map<std::string, NodeId> children;
  std::unique_ptr<const VolumeAttributes> volume;  // null: ordinary directory
};

/// Where byte `offset` of a file lies, and how many bytes follow it in one
/// piece.
struct Location {
  std::uint64_t device_index = 0;
  std::uint64_t device_offset = 0;  // bytes
  std::uint64_t length = 0;         // bytes, >= 1
};
/// `offset` < node.size.
Location Locate(const Node& node, std::uint64_t offset);

class Namespace {
 public:
  /// Holds the root and the two .meta files.
  Namespace(const Uuid& fs_uuid, std::uint64_t log_length);

  [[nodiscard]] const Node* Find(NodeId id) const;  // null: unknown
  [[nodiscard]] const Node* Lookup(NodeId parent, std::string_view name) const;
  /// "" is the root. Relative, no leading '/'.
  [[nodiscard]] const Node* FindPath(std::string_view path) const;
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
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] const absl::flat_hash_map<NodeId, std::unique_ptr<Node>>&
  nodes() const {
    return nodes_;
  }

  /// A directory by its path: one hash of the path, one look-up. "" is the
  /// root.
  [[nodiscard]] const Node* FindDirectory(std::string_view path) const;
  /// The id that a node of this path has or would have; `first` is null for a
  /// directory. `path` <= kMaxPathLength bytes.
  [[nodiscard]] NodeId IdOf(std::string_view path,
                            const MediaExtent* first) const;

  // For LogPlayer, which has checked the rules before.
  /// The node's id; 0, and nothing added, when it collides with another node's.
  /// `path` is the node's whole path; its last component becomes the name.
  NodeId Add(NodeId parent, std::string_view path, std::unique_ptr<Node> node);
  void SetOwner(NodeId id, const Ownership& owner);
  /// Null: the directory becomes an ordinary one.
  void SetVolume(NodeId id, std::unique_ptr<const VolumeAttributes> volume);
  /// Removes a node and all below it; their ids, children first.
  std::vector<NodeId> RemoveTree(NodeId id);

 private:
  Node* Mutable(NodeId id);
  void AddMetaFile(std::string_view path, MediaExtent extent);

  Uuid fs_uuid_;
  absl::flat_hash_map<NodeId, std::unique_ptr<Node>> nodes_;
  absl::btree_map<std::string, NodeId> volumes_;             // by directory
  absl::flat_hash_map<std::string, NodeId> volume_by_name_;  // kind, CSI name
};

}  // namespace famfs
