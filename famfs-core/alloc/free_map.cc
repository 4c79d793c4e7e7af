#include "alloc/free_map.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace famfs {
namespace {

using Unit = FreeMap::Unit;
using Extent = FreeMap::Extent;

constexpr std::uint64_t Key(Unit length, Unit end) {
  return std::uint64_t{length} << 32 | end;
}

/// Units of `extent` from its first 1 GiB boundary on; 0 when it has none.
Unit AlignedLength(Extent extent) {
  constexpr std::uint64_t kUnits = FreeMap::kLongUnits;
  const std::uint64_t start = (extent.start + kUnits - 1) / kUnits * kUnits;
  return start < extent.end() ? static_cast<Unit>(extent.end() - start) : 0;
}

/// What both have in common; of length 0 if nothing.
Extent Common(Extent a, Extent b) {
  const Unit start = std::max(a.start, b.start);
  const Unit end = std::min(a.end(), b.end());
  return {start, start < end ? end - start : 0};
}

}  // namespace

FreeMap::FreeMap() : short_ends_(kLongUnits) {}

std::optional<Extent> FreeMap::Take(Extent range) {
  auto it = by_end_.upper_bound(range.start);
  Unit taken = range.start;  // the first unit that is not free
  if (it != by_end_.end() && it->extent().start <= range.start) {
    if (it->end >= range.end()) {
      Carve(it, range);
      return std::nullopt;
    }
    taken = it->end;
    ++it;
  }
  const Unit taken_end = it == by_end_.end()
                             ? range.end()
                             : std::min(it->extent().start, range.end());
  return Extent{taken, taken_end - taken};
}

std::optional<Extent> FreeMap::Free(Extent range) {
  const auto next = by_end_.upper_bound(range.start);
  const bool has_next = next != by_end_.end();
  if (has_next && next->extent().start < range.end()) return next->extent();
  const auto before = next == by_end_.begin() ? by_end_.end() : std::prev(next);
  const bool joins_next = has_next && next->extent().start == range.end();
  const bool joins_before =
      before != by_end_.end() && before->end == range.start;
  units_ += range.length;
  if (joins_next && joins_before) {
    const Extent front = before->extent();
    Resize(*next, {front.start, front.length + range.length + next->length});
    RemoveLength(front);
    by_end_.erase(before);
  } else if (joins_next) {
    Resize(*next, {range.start, range.length + next->length});
  } else if (joins_before) {
    Resize(*before, {before->extent().start, before->length + range.length});
  } else {
    by_end_.insert(next, Node{range.end(), range.length});
    AddLength(range);
  }
  return std::nullopt;
}

void FreeMap::Assign(const std::vector<Extent>& extents) {
  *this = FreeMap();
  for (const Extent& extent : extents) {
    by_end_.insert(by_end_.end(), Node{extent.end(), extent.length});
    if (extent.length < kLongUnits) {
      // With a hint, which AddLength cannot give.
      auto& ends = short_ends_[extent.length];
      ends.insert(ends.end(), extent.end());
      MarkShort(extent.length);
    } else {
      AddLength(extent);
    }
    units_ += extent.length;
  }
}

void FreeMap::Carve(Tree::iterator it, Extent taken) {
  const Extent whole = it->extent();
  const Extent front{whole.start, taken.start - whole.start};
  const Extent back{taken.end(), whole.end() - taken.end()};
  units_ -= taken.length;
  if (back.length != 0) {
    Resize(*it, back);
    if (front.length != 0) {
      by_end_.insert(it, Node{front.end(), front.length});
      AddLength(front);
    }
  } else if (front.length != 0) {
    Resize(*it, front);
  } else {
    RemoveLength(whole);
    by_end_.erase(it);
  }
}

void FreeMap::Resize(const Node& node, Extent now) {
  RemoveLength(node.extent());
  node.end = now.end();
  node.length = now.length;
  AddLength(now);
}

void FreeMap::AddLength(Extent extent) {
  if (extent.length < kLongUnits) {
    short_ends_[extent.length].insert(extent.end());
    MarkShort(extent.length);
    return;
  }
  long_by_end_.insert(Node{extent.end(), extent.length});
  long_by_length_.insert(Key(extent.length, extent.end()));
  if (const Unit aligned = AlignedLength(extent); aligned >= kLongUnits) {
    long_by_aligned_.insert(Key(aligned, extent.end()));
  }
}

void FreeMap::RemoveLength(Extent extent) {
  if (extent.length < kLongUnits) {
    auto& ends = short_ends_[extent.length];
    ends.erase(extent.end());
    if (ends.empty()) {
      short_bits_[extent.length / 64] &= ~(1ULL << extent.length % 64);
    }
    return;
  }
  long_by_end_.erase(extent.end());
  long_by_length_.erase(Key(extent.length, extent.end()));
  long_by_aligned_.erase(Key(AlignedLength(extent), extent.end()));
}

Unit FreeMap::NextShort(Unit length) const {
  for (std::size_t word = length / 64; word < kWords; ++word) {
    std::uint64_t bits = short_bits_[word];
    if (word == length / 64) bits &= ~0ULL << length % 64;
    if (bits != 0) {
      return static_cast<Unit>(word * 64) +
             static_cast<Unit>(std::countr_zero(bits));
    }
  }
  return kLongUnits;
}

Unit FreeMap::LastShort(Unit below) const {
  for (std::size_t word = (below + 63) / 64; word-- > 0;) {
    std::uint64_t bits = short_bits_[word];
    if (word == below / 64) bits &= ~(~0ULL << below % 64);
    if (bits != 0) {
      return static_cast<Unit>(word * 64 + 63) -
             static_cast<Unit>(std::countl_zero(bits));
    }
  }
  return 0;
}

std::optional<Extent> FreeMap::BestFit(Unit length) const {
  if (const Unit exact = NextShort(length); exact < kLongUnits) {
    return Extent{*short_ends_[exact].begin() - exact, exact};
  }
  const auto it = long_by_length_.lower_bound(Key(length, 0));
  if (it == long_by_length_.end()) return std::nullopt;
  const Unit found = static_cast<Unit>(*it >> 32);
  return Extent{static_cast<Unit>(*it) - found, found};
}

std::optional<Extent> FreeMap::BestAligned(Unit length) const {
  const auto it = long_by_aligned_.lower_bound(Key(length, 0));
  if (it == long_by_aligned_.end()) return std::nullopt;
  return Extent{static_cast<Unit>(*it) - static_cast<Unit>(*it >> 32), length};
}

std::array<Extent, 2> FreeMap::Crossing(Extent window) const {
  std::array<Extent, 2> parts{};
  const auto first = by_end_.upper_bound(window.start);
  if (first != by_end_.end() && first->extent().start < window.start) {
    parts[0] = Common(first->extent(), window);
  }
  const auto last = by_end_.upper_bound(window.end());
  if (last != by_end_.end() && (last != first || parts[0].length == 0)) {
    parts[1] = Common(last->extent(), window);
  }
  return parts;
}

std::optional<Extent> FreeMap::ShortIn(Extent window, Unit length) const {
  if (length > window.length) return std::nullopt;
  const auto& ends = short_ends_[length];
  const auto it = ends.lower_bound(window.start + length);
  if (it == ends.end() || *it > window.end()) return std::nullopt;
  return Extent{*it - length, length};
}

template <typename See>
void FreeMap::EachLongIn(Extent window, See see) const {
  for (const Extent& part : Crossing(window)) {
    if (part.length >= kLongUnits) see(part);
  }
  for (auto it = long_by_end_.upper_bound(window.start);
       it != long_by_end_.end() && it->end <= window.end(); ++it) {
    if (it->extent().start >= window.start) see(it->extent());
  }
}

std::optional<Extent> FreeMap::BestFitIn(Extent window, Unit length) const {
  std::optional<Extent> best;
  const auto consider = [&](Extent extent) {
    if (extent.length < length || extent.length == 0) return;
    if (!best || extent.length < best->length ||
        (extent.length == best->length && extent.start < best->start)) {
      best = extent;
    }
  };
  for (const Extent& part : Crossing(window)) consider(part);
  for (Unit exact = NextShort(length);
       exact < kLongUnits && !(best && best->length < exact);
       exact = NextShort(exact + 1)) {
    if (const auto found = ShortIn(window, exact)) {
      consider(*found);
      break;
    }
  }
  if (!best || best->length >= kLongUnits) EachLongIn(window, consider);
  return best;
}

std::optional<Extent> FreeMap::BestAlignedIn(Extent window, Unit length) const {
  std::optional<Extent> best;  // from its first boundary on
  EachLongIn(window, [&](Extent extent) {
    const Unit aligned = AlignedLength(extent);
    const Extent part{extent.end() - aligned, aligned};
    if (aligned < length) return;
    if (!best || aligned < best->length ||
        (aligned == best->length && part.start < best->start)) {
      best = part;
    }
  });
  if (best) best->length = length;
  return best;
}

Unit FreeMap::Longest() const {
  return long_by_length_.empty()
             ? LastShort(kLongUnits)
             : static_cast<Unit>(*long_by_length_.rbegin() >> 32);
}

Unit FreeMap::LongestAligned() const {
  return long_by_aligned_.empty()
             ? 0
             : static_cast<Unit>(*long_by_aligned_.rbegin() >> 32);
}

Unit FreeMap::LongestIn(Extent window) const {
  Unit longest = 0;
  const auto consider = [&](Extent extent) {
    longest = std::max(longest, extent.length);
  };
  EachLongIn(window, consider);
  for (const Extent& part : Crossing(window)) consider(part);
  for (Unit exact = LastShort(kLongUnits); exact > longest;
       exact = LastShort(exact)) {
    if (ShortIn(window, exact)) return exact;
  }
  return longest;
}

std::vector<Extent> FreeMap::TheLongest(std::size_t count) const {
  std::vector<Extent> extents;
  for (auto behind = long_by_length_.end();
       behind != long_by_length_.begin() && extents.size() < count;) {
    const Unit length = static_cast<Unit>(*std::prev(behind) >> 32);
    const auto first = long_by_length_.lower_bound(Key(length, 0));
    for (auto it = first; it != behind && extents.size() < count; ++it) {
      extents.push_back({static_cast<Unit>(*it) - length, length});
    }
    behind = first;
  }
  for (Unit exact = LastShort(kLongUnits); exact != 0 && extents.size() < count;
       exact = LastShort(exact)) {
    for (const Unit end : short_ends_[exact]) {
      if (extents.size() == count) break;
      extents.push_back({end - exact, exact});
    }
  }
  return extents;
}

std::vector<Extent> FreeMap::All() const {
  std::vector<Extent> extents;
  extents.reserve(by_end_.size());
  for (const Node& node : by_end_) extents.push_back(node.extent());
  return extents;
}

}  // namespace famfs
