// The free extents of one device, in units, found by place and by length.
//
// All of them stand in one tree by place that also knows where each length
// below 1 GiB occurs (extent_tree.h). The few longer ones are ordered by
// length, and by the length behind their first 1 GiB boundary, as well. An
// extent costs about 14 bytes.
//
// Knows neither bytes nor errors: allocator.h does. Copyable. Not thread-safe.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/extent_tree.h"

namespace famfs {

class FreeMap {
 public:
  using Unit = ExtentTree::Unit;
  using Extent = ExtentTree::Extent;
  /// Units of 1 GiB, the boundary of large placements.
  static constexpr Unit kLongUnits = ExtentTree::kLongUnits;

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

  /// By place.
  [[nodiscard]] std::vector<Extent> All() const { return tree_.All(); }
  [[nodiscard]] std::size_t size() const { return tree_.size(); }
  [[nodiscard]] std::uint64_t units() const { return units_; }

 private:
  void AddLong(Extent extent);
  void RemoveLong(Extent extent);
  void Insert(const ExtentTree::Cursor& at, Extent extent);
  void Erase(const ExtentTree::Cursor& at);
  void Replace(const ExtentTree::Cursor& at, Extent now);
  void Carve(const ExtentTree::Cursor& at, Extent taken);
  /// A short extent of exactly `length` that lies within the window.
  [[nodiscard]] std::optional<Extent> ShortIn(Extent window, Unit length) const;
  /// The parts within the window of extents that cross its borders.
  [[nodiscard]] std::array<Extent, 2> Crossing(Extent window) const;
  /// Calls `see` with each long extent within the window, and with each part
  /// of one that crosses its border.
  template <typename See>
  void EachLongIn(Extent window, See see) const;

  ExtentTree tree_;
  std::uint64_t units_ = 0;
  // Extents of at least kLongUnits.
  absl::btree_map<Unit, Unit> long_by_end_;         // end -> length
  absl::btree_set<std::uint64_t> long_by_length_;   // length << 32 | end
  absl::btree_set<std::uint64_t> long_by_aligned_;  // the same, aligned length
};

}  // namespace famfs
