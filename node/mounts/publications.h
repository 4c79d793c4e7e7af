// Where volumes are published on this node, kept so that one volume's paths are
// found without reading every mount. The table of mounts stays the truth: what
// is here is a hint that whoever uses it examines, and a new plugin fills it
// from that table.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "node/mounts/volume_mounts.h"

namespace famfs::node {

/// Thread-safe. A volume is named by its directory.
class Publications {
 public:
  /// What earlier plugins have published.
  explicit Publications(const VolumeMounts& mounts);
  Publications() = default;

  void Add(const std::string& directory, const std::string& path);
  void Remove(const std::string& directory, const std::string& path);
  [[nodiscard]] std::vector<std::string> Of(const std::string& directory) const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::set<std::string>> paths_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs::node
