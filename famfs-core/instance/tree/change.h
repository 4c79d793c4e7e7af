// What happened to one node of a tree.
#pragma once

#include <string>

#include "instance/tree/node.h"

namespace famfs {

/// One difference that a kernel with cached names has to hear of.
struct Change {
  /// kAttributes: also a file's size or its pieces. kMoved: renamed, perhaps
  /// with other attributes, too.
  enum class Kind { kAdded, kRemoved, kAttributes, kMoved };
  Kind kind = Kind::kAdded;
  NodeId id = 0;
  NodeId parent = 0;
  std::string name;
  /// Of a node in a tree volume; its own directory is none.
  bool in_tree = false;
  // Of kMoved: where it stood before.
  NodeId old_parent = 0;
  std::string old_name{};
};

}  // namespace famfs
