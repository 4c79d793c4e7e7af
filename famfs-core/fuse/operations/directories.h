// Open directories: a listing is taken whenever a directory is read from its
// start, so that each entry that is there all the time is listed exactly once,
// whatever comes and goes meanwhile. Thread-safe.
//
// A directory may have a million entries: a listing is two blocks of memory.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "instance/tree/namespace.h"

namespace famfs {

class Directories {
 public:
  /// The entries of one directory at one moment, "." and ".." first.
  class Listing {
   public:
    struct Entry {
      NodeId id = 0;
      std::uint32_t name_at = 0;
      bool is_directory = false;
    };
    Listing(const Node& directory, const Namespace& tree);
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    const Entry& operator[](std::size_t i) const { return entries_[i]; }
    /// Ends with a NUL; valid as long as the listing.
    [[nodiscard]] const char* NameOf(const Entry& entry) const {
      return names_.data() + entry.name_at;
    }

   private:
    void Add(std::string_view name, NodeId id, bool is_directory);

    std::vector<Entry> entries_;
    std::string names_;  // each with its NUL
  };

  /// A new handle.
  std::uint64_t Open();
  /// A listing that was taken anew.
  void Replace(std::uint64_t handle, std::shared_ptr<const Listing> listing);
  /// The handle's listing. Null for a handle that was not read so far, or that
  /// another server gave out.
  [[nodiscard]] std::shared_ptr<const Listing> Find(std::uint64_t handle);
  void Close(std::uint64_t handle);

 private:
  Mutex mutex_;
  std::uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::flat_hash_map<std::uint64_t, std::shared_ptr<const Listing>> open_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs
