// Open directories: a listing is taken when a directory is opened or rewound,
// so that each entry that is there all the time is listed exactly once,
// whatever comes and goes meanwhile. Thread-safe.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "instance/namespace.h"

namespace famfs {

class Directories {
 public:
  struct Entry {
    std::string name;
    NodeId id = 0;
    bool is_directory = false;
  };
  /// "." and ".." first.
  using Listing = std::vector<Entry>;

  static std::shared_ptr<const Listing> List(const Node& directory,
                                             const Namespace& tree);

  /// A new handle.
  std::uint64_t Open(std::shared_ptr<const Listing> listing);
  void Replace(std::uint64_t handle, std::shared_ptr<const Listing> listing);
  /// Null for a handle that another server gave out.
  [[nodiscard]] std::shared_ptr<const Listing> Find(std::uint64_t handle) const;
  void Close(std::uint64_t handle);

 private:
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;
  absl::flat_hash_map<std::uint64_t, std::shared_ptr<const Listing>> open_;
};

}  // namespace famfs
