// The free extents of one device, in units, found by place and by length.
//
// By place: a B-tree over the extents' ends, so that what is cut off an
// extent's start (the usual allocation) moves no key. By length: extents
// shorter than kLongUnits (1 GiB) stand in one B-tree of ends for each exact
// length, with a bit for each length that has any; the few longer ones are
// ordered by length, and by the length behind their first 1 GiB boundary. An
// extent costs about 20 bytes, an operation some look-ups that touch one or two
// cache lines each beyond what stays in the cache.
//
// Knows neither bytes nor errors: allocator.h does. Copyable. Not thread-safe.
#pragma once

#include <absl/container/btree_set.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace famfs {

class FreeMap {
 public:
  using Unit = std::uint32_t;
  struct Extent {
    Unit start = 0;
    Unit length = 0;
    [[nodiscard]] Unit end() const { return start + length; }
    bool operator==(const Extent&) const = default;
  };
  /// Units of 1 GiB, the boundary of large placements.
  static constexpr Unit kLongUnits = 512;

  FreeMap();

  /// Takes a range that is not empty. nullopt: done; else the first part of it
  /// that is not free, and nothing is changed.
  std::optional<Extent> Take(Extent range);
  /// Gives back a range that is not empty and merges it with its neighbours.
  /// nullopt: done; else a free extent that overlaps it, and nothing is
  /// changed.
  std::optional<Extent> Free(Extent range);
  /// Replaces everything by `extents`: by place, apart from each other, none
  /// empty.
  void Assign(const std::vector<Extent>& extents);

  /// The shortest free extent with `length` units, the first among equals.
  [[nodiscard]] std::optional<Extent> BestFit(Unit length) const;
  /// `length` units (at least kLongUnits) on a 1 GiB boundary, in the extent
  /// with the least behind its first boundary, the first among equals.
  [[nodiscard]] std::optional<Extent> BestAligned(Unit length) const;
  /// The same two of what is free in `window` alone.
  [[nodiscard]] std::optional<Extent> BestFitIn(Extent window,
                                                Unit length) const;
  [[nodiscard]] std::optional<Extent> BestAlignedIn(Extent window,
                                                    Unit length) const;

  [[nodiscard]] Unit Longest() const;
  [[nodiscard]] Unit LongestIn(Extent window) const;
  /// The longest that BestAligned could place; 0 below kLongUnits.
  [[nodiscard]] Unit LongestAligned() const;
  /// Up to `count` extents, the longest first, by place among equals.
  [[nodiscard]] std::vector<Extent> TheLongest(std::size_t count) const;

  [[nodiscard]] std::vector<Extent> All() const;  // by place
  [[nodiscard]] std::size_t size() const { return by_end_.size(); }
  [[nodiscard]] std::uint64_t units() const { return units_; }

 private:
  /// Both may change under the tree as long as their order does not.
  struct Node {
    mutable Unit end;
    mutable Unit length;
    [[nodiscard]] Extent extent() const { return {end - length, length}; }
  };
  struct ByEnd {
    using is_transparent = void;
    bool operator()(const Node& a, const Node& b) const {
      return a.end < b.end;
    }
    bool operator()(const Node& a, Unit b) const { return a.end < b; }
    bool operator()(Unit a, const Node& b) const { return a < b.end; }
  };
  using Tree = absl::btree_set<Node, ByEnd>;
  static constexpr std::size_t kWords = kLongUnits / 64;

  void Resize(const Node& node, Extent now);
  void AddLength(Extent extent);
  void RemoveLength(Extent extent);
  void MarkShort(Unit length) {
    short_bits_[length / 64] |= 1ULL << length % 64;
  }
  void Carve(Tree::iterator it, Extent taken);
  /// The first length from `length` on that some short extent has; kLongUnits
  /// if none.
  [[nodiscard]] Unit NextShort(Unit length) const;
  [[nodiscard]] Unit LastShort(Unit below) const;  // 0 if none
  /// A short extent of exactly `length` that lies within the window.
  [[nodiscard]] std::optional<Extent> ShortIn(Extent window, Unit length) const;
  /// The parts within the window of extents that cross its borders.
  [[nodiscard]] std::array<Extent, 2> Crossing(Extent window) const;
  /// Calls `see` with each long extent within the window, and with each part
  /// of one that crosses its border.
  template <typename See>
  void EachLongIn(Extent window, See see) const;

  Tree by_end_;
  std::uint64_t units_ = 0;
  std::vector<absl::btree_set<Unit>> short_ends_;  // by length
  std::array<std::uint64_t, kWords> short_bits_{};
  Tree long_by_end_;
  absl::btree_set<std::uint64_t> long_by_length_;   // length << 32 | end
  absl::btree_set<std::uint64_t> long_by_aligned_;  // the same, aligned length
};

}  // namespace famfs
