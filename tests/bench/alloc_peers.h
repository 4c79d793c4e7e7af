// What the allocator is measured beside: the same rule over std::map and over
// absl's B-trees, and upstream's rule over a bitmap. Only BtreeFreeMap checks
// its arguments, as FreeMap does.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "alloc/free_map.h"
#include "base/range.h"
#include "media/format.h"

namespace famfs::bench {

/// Best fit: one tree by offset and one by length, a node of the heap for each
/// extent in both. The straightforward structure.
class MapAllocator {
 public:
  /// Nothing is free at first.
  explicit MapAllocator(std::uint64_t /*size*/) {}

  Range Allocate(std::uint64_t length) {
    const auto fit = by_length_.lower_bound({length, 0});
    if (fit == by_length_.end()) return {};
    const Range whole{fit->second, fit->first};
    Erase(by_offset_.find(whole.offset));
    if (whole.length > length) {
      Insert({whole.offset + length, whole.length - length});
    }
    return {whole.offset, length};
  }

  void Take(Range range) {
    const auto it = std::prev(by_offset_.upper_bound(range.offset));
    const Range whole{it->first, it->second};
    Erase(it);
    if (range.offset > whole.offset) {
      Insert({whole.offset, range.offset - whole.offset});
    }
    if (range.end() < whole.end()) {
      Insert({range.end(), whole.end() - range.end()});
    }
  }

  void Free(Range range) {
    const auto next = by_offset_.lower_bound(range.offset);
    const auto before =
        next == by_offset_.begin() ? by_offset_.end() : std::prev(next);
    if (next != by_offset_.end() && next->first == range.end()) {
      range.length += next->second;
      Erase(next);
    }
    if (before != by_offset_.end() &&
        before->first + before->second == range.offset) {
      range = {before->first, before->second + range.length};
      Erase(before);
    }
    Insert(range);
  }

 private:
  using ByOffset = std::map<std::uint64_t, std::uint64_t>;

  void Insert(Range range) {
    by_offset_.emplace(range.offset, range.length);
    by_length_.emplace(range.length, range.offset);
  }
  void Erase(ByOffset::iterator it) {
    by_length_.erase({it->second, it->first});
    by_offset_.erase(it);
  }

  ByOffset by_offset_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_length_;
};

/// What FreeMap would be over the library's B-trees: one by place, one by
/// length. Of FreeMap's operations, those that every length has.
class BtreeFreeMap {
 public:
  using Unit = FreeMap::Unit;
  using Extent = FreeMap::Extent;

  std::optional<Extent> Take(Extent range) {
    const auto it = by_end_.lower_bound(range.start + 1);
    if (it == by_end_.end()) return range;
    const Extent whole{it->first - it->second, it->second};
    if (whole.start > range.start || whole.end() < range.end()) return range;
    const Extent front{whole.start, range.start - whole.start};
    const Extent back{range.end(), whole.end() - range.end()};
    by_length_.erase(Key(whole));
    if (front.length != 0) by_length_.insert(Key(front));
    if (back.length != 0) by_length_.insert(Key(back));
    // The end stays the key of what is left at the back.
    const auto behind = back.length == 0 ? by_end_.erase(it) : it;
    if (back.length != 0) behind->second = back.length;
    if (front.length != 0) {
      by_end_.emplace_hint(behind, front.end(), front.length);
    }
    return std::nullopt;
  }

  std::optional<Extent> Free(Extent range) {
    const auto next = by_end_.lower_bound(range.start + 1);
    const bool has_next = next != by_end_.end();
    const Unit next_start = has_next ? next->first - next->second : 0;
    if (has_next && next_start < range.end()) return range;
    const bool joins_next = has_next && next_start == range.end();
    const auto before =
        next == by_end_.begin() ? by_end_.end() : std::prev(next);
    const bool joins_before =
        before != by_end_.end() && before->first == range.start;
    if (joins_before) {
      const Extent front{before->first - before->second, before->second};
      by_length_.erase(Key(front));
      range = {front.start, front.length + range.length};
    }
    if (joins_next) {
      by_length_.erase(Key({next_start, next->second}));
      range.length += next->second;
      next->second = range.length;
      if (joins_before) by_end_.erase(before);
    } else {
      const auto behind = joins_before ? by_end_.erase(before) : next;
      by_end_.emplace_hint(behind, range.end(), range.length);
    }
    by_length_.insert(Key(range));
    return std::nullopt;
  }

  void Assign(const std::vector<Extent>& extents) {
    std::vector<std::uint64_t> keys;
    keys.reserve(extents.size());
    by_end_.clear();
    for (const Extent& extent : extents) {
      by_end_.emplace_hint(by_end_.end(), extent.end(), extent.length);
      keys.push_back(Key(extent));
    }
    std::sort(keys.begin(), keys.end());
    by_length_ = {keys.begin(), keys.end()};
  }

  [[nodiscard]] std::optional<Extent> BestFit(Unit length) const {
    const auto it = by_length_.lower_bound(std::uint64_t{length} << 32);
    if (it == by_length_.end()) return std::nullopt;
    const Unit found = static_cast<Unit>(*it >> 32);
    return Extent{static_cast<Unit>(*it) - found, found};
  }

 private:
  static std::uint64_t Key(Extent extent) {
    return std::uint64_t{extent.length} << 32 | extent.end();
  }

  absl::btree_map<Unit, Unit> by_end_;  // end -> length
  absl::btree_set<std::uint64_t> by_length_;
};

/// First fit, one bit a unit, bit by bit, as upstream's tools search.
class BitmapAllocator {
 public:
  /// Nothing is free at first.
  explicit BitmapAllocator(std::uint64_t size)
      : used_(size / kAllocUnit, true) {}

  Range Allocate(std::uint64_t length) {
    const std::uint64_t need = length / kAllocUnit;
    std::uint64_t run = 0;
    for (std::uint64_t i = 0; i < used_.size(); ++i) {
      run = used_[i] ? 0 : run + 1;
      if (run < need) continue;
      const Range range{(i + 1 - need) * kAllocUnit, length};
      Set(range, true);
      return range;
    }
    return {};
  }

  void Take(Range range) { Set(range, true); }
  void Free(Range range) { Set(range, false); }

  [[nodiscard]] std::uint64_t Largest() const {
    std::uint64_t largest = 0;
    std::uint64_t run = 0;
    for (const bool used : used_) {
      run = used ? 0 : run + 1;
      if (run > largest) largest = run;
    }
    return largest * kAllocUnit;
  }

 private:
  void Set(Range range, bool used) {
    for (std::uint64_t i = 0; i < range.length / kAllocUnit; ++i) {
      used_[range.offset / kAllocUnit + i] = used;
    }
  }

  std::vector<bool> used_;
};

}  // namespace famfs::bench
