// What happened to one node of a tree.
#pragma once

#include <string>

#include "instance/tree/node.h"

namespace famfs {

/// One difference that a kernel with cached names has to hear of.
struct Change {
  enum class Kind { kAdded, kRemoved, kAttributes };
  Kind kind = Kind::kAdded;
  NodeId id = 0;
  NodeId parent = 0;
  std::string name;
};

}  // namespace famfs
