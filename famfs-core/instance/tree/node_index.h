// Finds nodes by a hash: an open-addressing table of (32 bits of the hash,
// slot), 8 bytes an entry, at most three quarters full. It does not know what
// was hashed: a slot that it finds is a candidate, which the caller compares.
// Growing and removing never look at a node. Not thread-safe.
//
// Instead of absl::flat_hash_set: with the same entries it takes 1.8 times as
// long to find one of a million nodes and 2.2 times to add one (rows of
// `tests/bench/run play`, which fails when it comes within 10 %). Each look-up
// waits for a line of control bytes and then for another one with the entry;
// here they are one. Both need 10 to 21 bytes a node, as the power of two
// falls. A set of slots alone would need half of that, but would hash every
// node again to grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace famfs {

class NodeIndex {
 public:
  NodeIndex() : entries_(kFirstCapacity) {}

  /// Makes room for `nodes` in all.
  void Reserve(std::size_t nodes);
  /// Starts loading what Find of this hash will look at. Always inlined: GCC 12
  /// leaves out the call of a function that does nothing but prefetch.
  [[gnu::always_inline]] void Prefetch(std::uint32_t hash) const {
    __builtin_prefetch(&entries_[hash & (entries_.size() - 1)]);
  }

  /// The slot with this hash for which `is_it(slot)`; 0: none.
  template <typename IsIt>
  [[nodiscard]] std::uint32_t Find(std::uint32_t hash, IsIt is_it) const {
    const std::size_t mask = entries_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const Entry& entry = entries_[at];
      if (entry.slot == 0) return 0;
      if (entry.hash == hash && is_it(entry.slot)) return entry.slot;
    }
  }

  /// `slot` > 0 and not in the table yet.
  void Insert(std::uint32_t hash, std::uint32_t slot);
  /// `slot` is in the table, under this hash.
  void Erase(std::uint32_t hash, std::uint32_t slot);

 private:
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t slot = 0;  // 0: free
  };
  static constexpr std::size_t kFirstCapacity = 16;  // a power of two

  void Rehash(std::size_t capacity);
  void Place(Entry entry);

  std::vector<Entry> entries_;
  std::size_t used_ = 0;
};

}  // namespace famfs
