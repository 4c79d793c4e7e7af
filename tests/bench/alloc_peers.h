// What the allocator is measured beside: the same rule over std::map, and
// upstream's rule over a bitmap. In units; neither checks its arguments.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

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
