// What the tree's index of nodes is measured beside: the library's hash table
// with the same entries.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>

namespace famfs::bench {

/// NodeIndex over absl::flat_hash_set. An entry keeps its hash here as well:
/// a set of slots alone would have to look at every node to grow.
class FlatSetIndex {
 public:
  void Reserve(std::size_t nodes) { entries_.reserve(nodes); }
  /// Always inlined, for NodeIndex::Prefetch's reason.
  [[gnu::always_inline, gnu::flatten]] void Prefetch(std::uint32_t hash) const {
    entries_.prefetch(Entry{hash, 0});
  }
  template <typename IsIt>
  [[nodiscard]] std::uint32_t Find(std::uint32_t hash, IsIt is_it) const {
    const auto it = entries_.find(Wanted<IsIt>{hash, is_it});
    return it == entries_.end() ? 0 : it->slot;
  }
  void Insert(std::uint32_t hash, std::uint32_t slot) {
    entries_.insert({hash, slot});
  }

 private:
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t slot = 0;
  };
  template <typename IsIt>
  struct Wanted {
    std::uint32_t hash;
    IsIt is_it;
  };
  struct Hash {
    using is_transparent = void;
    template <typename Key>
    std::size_t operator()(const Key& key) const {
      return key.hash;  // a good one already
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const {
      return a.slot == b.slot;
    }
    template <typename IsIt>
    bool operator()(const Entry& entry, const Wanted<IsIt>& wanted) const {
      return entry.hash == wanted.hash && wanted.is_it(entry.slot);
    }
  };

  absl::flat_hash_set<Entry, Hash, Equal> entries_;
};

}  // namespace famfs::bench
