// What the tools look at in an instance's tree: the one place that knows how
// nodes hang together, so that each command tells only what it shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "instance/tree/namespace.h"
#include "media/volume_attributes.h"
#include "tools/common/context.h"

namespace famfs {

/// A node as it was when the tree was looked at; holds no lock.
struct NodeFacts {
  std::string path;  // "" is the root
  bool is_directory = false;
  bool is_meta = false;  // .meta and what is in it
  Ownership owner;
  std::uint64_t size = 0;              // bytes, of a file
  std::uint64_t chunk = 0;             // bytes; 0: not interleaved
  std::vector<MediaExtent> extents{};  // or strips, when chunk > 0
  std::optional<VolumeAttributes> volume{};

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
/// names in order; .meta only `with_meta`.
template <typename Visit>
void ForEachBelow(const Namespace& tree, const Node& node, bool with_meta,
                  const Visit& visit) {
  ForEachChild(tree, node, [&](const Node& child) {
    if (child.is_meta && !with_meta) return;
    visit(child);
    if (child.is_directory) ForEachBelow(tree, child, with_meta, visit);
  });
}

/// The node of a path as people write it; NotFound says how to see what there
/// is.
absl::StatusOr<const Node*> FindNode(const Namespace& tree,
                                     const std::string& given);

/// Each file's facts, by path.
std::vector<NodeFacts> AllFiles(const Namespace& tree);

/// "drwxr-xr-x"
std::string ModeText(bool is_directory, std::uint32_t mode);
const char* StateText(VolumeState state);
const char* KindText(VolumeKind kind);
const char* LayoutText(VolumeLayout layout);
/// All attributes, for JSON.
Json VolumeJson(const VolumeAttributes& volume);

/// `{path, type, uid, gid, mode, mode_octal, size, chunk, extents, volume}`
Json ToJson(const NodeFacts& facts);

}  // namespace famfs
