// Files of tree volumes that were removed here while they are open here. To the
// owner they are renamed (tree/hidden_name.h), so that all goes on with them,
// also growing; at the last close they are removed.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "instance/tree/node.h"

namespace famfs {

/// Those of a mount. Thread-safe. By the Namespace's ids, without a view.
class HiddenFiles {
 public:
  /// It has, or may come to have, that name.
  void Add(NodeId node, std::string name);
  [[nodiscard]] bool Contains(NodeId node) const;
  [[nodiscard]] std::vector<NodeId> All() const;
  /// The name, for who asks the owner to remove it, which ends with Erase or
  /// NotRemoved; nullopt: there is no such, or somebody asks already.
  std::optional<std::string> BeginRemoval(NodeId node);
  void NotRemoved(NodeId node);
  void Erase(NodeId node);

 private:
  struct Entry {
    std::string name;
    bool asked = false;
  };
  mutable Mutex mutex_;
  absl::flat_hash_map<NodeId, Entry> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs
