#include "alloc/free_map.h"

#include <algorithm>
#include <iterator>
#include <limits>

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

std::optional<Extent> FreeMap::Take(Extent range) {
  auto at = tree_.Seek(range.start + 1);
  bool found = tree_.Next(at);
  Unit taken = range.start;  // the first unit that is not free
  if (found && tree_.Get(at).start <= range.start) {
    if (tree_.Get(at).end() >= range.end()) {
      Carve(at, range);
      return std::nullopt;
    }
    taken = tree_.Get(at).end();
    ++at.at;
    found = tree_.Next(at);
  }
  const Unit taken_end =
      found ? std::min(tree_.Get(at).start, range.end()) : range.end();
  return Extent{taken, taken_end - taken};
}

std::optional<Extent> FreeMap::Free(Extent range) {
  const auto place = tree_.Seek(range.start + 1);
  auto next = place;
  auto before = place;
  const bool has_next = tree_.Next(next);
  const Extent back = has_next ? tree_.Get(next) : Extent{};
  if (has_next && back.start < range.end()) return back;
  const bool joins_next = has_next && back.start == range.end();
  const bool has_before = tree_.Previous(before);
  const Extent front = has_before ? tree_.Get(before) : Extent{};
  const bool joins_before = has_before && front.end() == range.start;
  units_ += range.length;
  if (joins_next && joins_before) {
    Replace(next, {front.start, front.length + range.length + back.length});
    Erase(before);
  } else if (joins_next) {
    Replace(next, {range.start, range.length + back.length});
  } else if (joins_before) {
    Replace(before, {front.start, front.length + range.length});
  } else {
    Insert(place, range);
  }
  return std::nullopt;
}

void FreeMap::Assign(const std::vector<Extent>& extents) {
  *this = FreeMap();
  tree_.Assign(extents);
  for (const Extent& extent : extents) {
    units_ += extent.length;
    AddLong(extent);
  }
}

void FreeMap::Carve(const ExtentTree::Cursor& at, Extent taken) {
  const Extent whole = tree_.Get(at);
  const Extent front{whole.start, taken.start - whole.start};
  const Extent back{taken.end(), whole.end() - taken.end()};
  units_ -= taken.length;
  if (back.length != 0) {
    Replace(at, back);
    if (front.length != 0) Insert(at, front);
  } else if (front.length != 0) {
    Replace(at, front);
  } else {
    Erase(at);
  }
}

void FreeMap::Insert(const ExtentTree::Cursor& at, Extent extent) {
  tree_.Insert(at, extent);
  AddLong(extent);
}

void FreeMap::Erase(const ExtentTree::Cursor& at) {
  RemoveLong(tree_.Get(at));
  tree_.Erase(at);
}

void FreeMap::Replace(const ExtentTree::Cursor& at, Extent now) {
  RemoveLong(tree_.Get(at));
  tree_.Replace(at, now);
  AddLong(now);
}

void FreeMap::AddLong(Extent extent) {
  if (extent.length < kLongUnits) return;
  long_by_end_.emplace(extent.end(), extent.length);
  long_by_length_.insert(Key(extent.length, extent.end()));
  if (const Unit aligned = AlignedLength(extent); aligned >= kLongUnits) {
    long_by_aligned_.insert(Key(aligned, extent.end()));
  }
}

void FreeMap::RemoveLong(Extent extent) {
  if (extent.length < kLongUnits) return;
  long_by_end_.erase(extent.end());
  long_by_length_.erase(Key(extent.length, extent.end()));
  long_by_aligned_.erase(Key(AlignedLength(extent), extent.end()));
}

std::optional<Extent> FreeMap::BestFit(Unit length) const {
  if (const Unit exact = tree_.NextLength(length); exact < kLongUnits) {
    return tree_.First(exact);
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
  auto at = tree_.Seek(window.start + 1);
  if (!tree_.Next(at)) return parts;
  const Extent first = tree_.Get(at);
  if (first.start < window.start) parts[0] = Common(first, window);
  if (window.end() == std::numeric_limits<Unit>::max()) return parts;
  at = tree_.Seek(window.end() + 1);
  if (!tree_.Next(at)) return parts;
  const Extent last = tree_.Get(at);
  if (last != first || parts[0].length == 0) parts[1] = Common(last, window);
  return parts;
}

std::optional<Extent> FreeMap::ShortIn(Extent window, Unit length) const {
  if (length > window.length) return std::nullopt;
  const auto found = tree_.First(length, window.start + length);
  return found && found->end() <= window.end() ? found : std::nullopt;
}

template <typename See>
void FreeMap::EachLongIn(Extent window, See see) const {
  for (const Extent& part : Crossing(window)) {
    if (part.length >= kLongUnits) see(part);
  }
  for (auto it = long_by_end_.upper_bound(window.start);
       it != long_by_end_.end() && it->first <= window.end(); ++it) {
    const Extent extent{it->first - it->second, it->second};
    if (extent.start >= window.start) see(extent);
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
  for (Unit exact = tree_.NextLength(length);
       exact < kLongUnits && !(best && best->length < exact);
       exact = tree_.NextLength(exact + 1)) {
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
             ? tree_.LastLength(kLongUnits)
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
  for (Unit exact = tree_.LastLength(kLongUnits); exact > longest;
       exact = tree_.LastLength(exact)) {
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
  for (Unit exact = tree_.LastLength(kLongUnits);
       exact != 0 && extents.size() < count; exact = tree_.LastLength(exact)) {
    for (auto found = tree_.First(exact); found && extents.size() < count;
         found = tree_.First(exact, found->end() + 1)) {
      extents.push_back(*found);
    }
  }
  return extents;
}

}  // namespace famfs
