// What the tools look at in an instance's tree: the one place that knows how
// nodes hang together, so that each command tells only what it shows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "instance/tree/namespace.h"
#include "media/volume_attributes.h"
#include "tools/common/context.h"

namespace famfs {

/// What the record of a tree volume's node says besides, and of the volume's
/// own directory (id 0) its times.
struct TreeFacts {
  TreeId id = kVolumeRoot;
  std::uint32_t revision = 0;
  std::int64_t mtime_ns = 0;  // since 1970
  std::int64_t ctime_ns = 0;
  // Of a file:
  std::uint32_t truncation = 0;
  std::uint32_t next_piece = 0;
  std::size_t pieces = 0;
  std::uint64_t reach = 0;  // bytes
  std::string node_file{};  // the device's own file for it; else empty
};

/// A node as it was when the tree was looked at; holds no lock.
struct NodeFacts {
  std::string path;  // "" is the root; by the names that users gave
  bool is_directory = false;
  bool is_symlink = false;
  bool is_meta = false;  // .meta and what is in it
  Ownership owner;
  std::uint64_t size = 0;              // bytes, of a file
  std::uint64_t chunk = 0;             // bytes; 0: not interleaved
  std::vector<MediaExtent> extents{};  // or strips, when chunk > 0
  std::optional<VolumeAttributes> volume{};
  std::string target{};  // of a symbolic link
  std::optional<TreeFacts> tree{};

  /// Bytes of the device that the file holds.
  [[nodiscard]] std::uint64_t allocated() const;
};
NodeFacts FactsOf(const Namespace& tree, const Node& node);

/// Calls visit(const Node&) for each child; names in order.
template <typename Visit>
void ForEachChild(const Namespace& tree, const Node& directory,
                  const Visit& visit) {
  for (const Node* const child : tree.SortedChildren(directory)) visit(*child);
}

/// Calls visit(const Node&) for all that lies below `node`, parents first,
/// names in order; .meta only `with_meta`. Does not call itself: users make
/// directories as deep as they like.
template <typename Visit>
void ForEachBelow(const Namespace& tree, const Node& node, bool with_meta,
                  const Visit& visit) {
  std::vector<const Node*> next = tree.SortedChildren(node);
  std::reverse(next.begin(), next.end());
  while (!next.empty()) {
    const Node& child = *next.back();
    next.pop_back();
    if (child.is_meta && !with_meta) continue;
    visit(child);
    if (!child.is_directory) continue;
    const std::vector<const Node*> below = tree.SortedChildren(child);
    next.insert(next.end(), below.rbegin(), below.rend());
  }
}

/// The node of a path as people write it; NotFound says how to see what there
/// is.
absl::StatusOr<const Node*> FindNode(const Namespace& tree,
                                     const std::string& given);

/// Each file's facts, by path; symbolic links, which hold nothing, left out.
std::vector<NodeFacts> AllFiles(const Namespace& tree);

/// "directory", "symlink" or "file".
const char* TypeText(const NodeFacts& facts);
/// "drwxr-xr-x"
std::string ModeText(const NodeFacts& facts);
/// "2026-11-27 21:38:14.25 UTC", or what of it `digits` of the fraction leave.
std::string TimeText(std::int64_t unix_ns, int digits = 9);
/// "dir/", "file" or "link -> target", fit for a terminal.
std::string NameText(const NodeFacts& facts);
const char* StateText(VolumeState state);
const char* KindText(VolumeKind kind);
const char* LayoutText(VolumeLayout layout);
/// All attributes, for JSON.
Json VolumeJson(const VolumeAttributes& volume);

/// A node's record, for JSON.
Json NodeJson(const NodeRecord& record);

/// `{path, type, uid, gid, mode, mode_octal, size, chunk, extents, volume}`,
/// and of a tree volume's node `{target, node, mtime_ns, ctime_ns}`.
Json ToJson(const NodeFacts& facts);

}  // namespace famfs
