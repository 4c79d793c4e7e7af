// Files of tree volumes that were removed here while they are open here. To the
// owner they are renamed (tree/hidden_name.h), so that all goes on with them,
// also growing; at the last close they are removed.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "instance/tree/node.h"

namespace famfs {

/// Those of a mount. Thread-safe. By the Namespace's ids, without a view.
class HiddenFiles {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long the owner may take with what was given up meanwhile: a compaction
  /// of the longest log, say.
  static constexpr std::chrono::minutes kDoubt{10};

  /// It has that name. Or, until then, may come to have it.
  void Add(NodeId node, std::string name,
           Clock::time_point in_doubt_until = {});
  [[nodiscard]] bool Contains(NodeId node) const;
  [[nodiscard]] std::vector<NodeId> All() const;
  /// The name, for who asks the owner to remove it, which ends with Erase or
  /// NotRemoved; nullopt: there is no such, or somebody asks already.
  std::optional<std::string> BeginRemoval(NodeId node);
  void NotRemoved(NodeId node);
  void Erase(NodeId node);
  /// When the tree does not say that it has the name: unless it may come to.
  void EraseIfCertain(NodeId node, Clock::time_point now);

 private:
  struct Entry {
    std::string name;
    Clock::time_point in_doubt_until{};
    bool asked = false;
  };
  mutable Mutex mutex_;
  absl::flat_hash_map<NodeId, Entry> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs
