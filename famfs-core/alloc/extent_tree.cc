#include "alloc/extent_tree.h"

#include <algorithm>
#include <bit>

namespace famfs {
namespace {

using Unit = ExtentTree::Unit;

constexpr std::uint64_t Bit(std::uint32_t slot) { return 1ULL << slot; }
/// The bits before `slot`, which is below 64.
constexpr std::uint64_t Below(std::uint32_t slot) { return Bit(slot) - 1; }

/// The first of `count` sorted values that is not less than `value`, without a
/// branch that would be guessed wrong half of the time.
std::uint32_t LowerBound(const Unit* values, std::uint32_t count, Unit value) {
  const Unit* first = values;
  while (count > 1) {
    const std::uint32_t half = count / 2;
    first += first[half - 1] < value ? half : 0;
    count -= half;
  }
  const bool behind = count == 1 && *first < value;
  return static_cast<std::uint32_t>(first - values) + (behind ? 1 : 0);
}

/// Moves [at, count) by one to make room for `value`.
void InsertAt(std::uint32_t* values, std::uint32_t count, std::uint32_t at,
              std::uint32_t value) {
  std::copy_backward(values + at, values + count, values + count + 1);
  values[at] = value;
}

void EraseAt(std::uint32_t* values, std::uint32_t count, std::uint32_t at) {
  std::copy(values + at + 1, values + count, values + at);
}

}  // namespace

ExtentTree::ExtentTree() { Assign({}); }

// Places.

ExtentTree::Cursor ExtentTree::Seek(Unit end) const {
  Cursor cursor;
  std::uint32_t node = root_;
  for (std::size_t level = height_; level-- > 0;) {
    const Inner& inner = inners_[node];
    const std::uint32_t slot =
        std::min(LowerBound(inner.last, inner.count, end), inner.count - 1);
    cursor.inner[level] = node;
    cursor.slot[level] = slot;
    node = inner.child[slot];
  }
  const Leaf& leaf = leaves_[node];
  // All lines of the leaf at once: one wait instead of one after another.
  const char* bytes = reinterpret_cast<const char*>(&leaf);
  for (std::size_t at = 0; at < sizeof(Leaf); at += 64) {
    __builtin_prefetch(bytes + at);
  }
  cursor.leaf = node;
  cursor.at = LowerBound(leaf.end, leaf.count, end);
  return cursor;
}

bool ExtentTree::Next(Cursor& cursor) const {
  if (cursor.at < leaves_[cursor.leaf].count) return true;
  for (std::size_t level = 0; level < height_; ++level) {
    if (cursor.slot[level] + 1 == inners_[cursor.inner[level]].count) continue;
    ++cursor.slot[level];
    for (; level > 0; --level) {
      cursor.inner[level - 1] =
          inners_[cursor.inner[level]].child[cursor.slot[level]];
      cursor.slot[level - 1] = 0;
    }
    cursor.leaf = inners_[cursor.inner[0]].child[cursor.slot[0]];
    cursor.at = 0;
    return true;
  }
  return false;
}

bool ExtentTree::Previous(Cursor& cursor) const {
  if (cursor.at > 0) {
    --cursor.at;
    return true;
  }
  for (std::size_t level = 0; level < height_; ++level) {
    if (cursor.slot[level] == 0) continue;
    --cursor.slot[level];
    for (; level > 0; --level) {
      const std::uint32_t below =
          inners_[cursor.inner[level]].child[cursor.slot[level]];
      cursor.inner[level - 1] = below;
      cursor.slot[level - 1] = inners_[below].count - 1;
    }
    cursor.leaf = inners_[cursor.inner[0]].child[cursor.slot[0]];
    cursor.at = leaves_[cursor.leaf].count - 1;
    return true;
  }
  return false;
}

ExtentTree::Extent ExtentTree::Get(const Cursor& cursor) const {
  const Leaf& leaf = leaves_[cursor.leaf];
  const Unit length = leaf.length[cursor.at];
  return {leaf.end[cursor.at] - length, length};
}

// Changes.

void ExtentTree::Insert(Cursor cursor, Extent extent) {
  if (leaves_[cursor.leaf].count == kLeafSlots) SplitLeaf(cursor);
  Leaf& leaf = leaves_[cursor.leaf];
  InsertAt(leaf.end, leaf.count, cursor.at, extent.end());
  InsertAt(leaf.length, leaf.count, cursor.at, extent.length);
  ++leaf.count;
  ++size_;
  Bound(cursor, extent.end());
  SetLength(cursor, extent.length);
}

void ExtentTree::Erase(Cursor cursor) {
  Leaf& leaf = leaves_[cursor.leaf];
  const Unit length = leaf.length[cursor.at];
  EraseAt(leaf.end, leaf.count, cursor.at);
  EraseAt(leaf.length, leaf.count, cursor.at);
  --leaf.count;
  --size_;
  ClearLength(cursor, length);
  if (size_ == 0) return;
  if (leaf.count == 0) {
    free_leaves_.push_back(cursor.leaf);
    RemoveChild(cursor, 0);
  } else if (leaf.count < kLowLeaf) {
    JoinLeaf(cursor);
  }
}

void ExtentTree::Replace(const Cursor& cursor, Extent now) {
  Leaf& leaf = leaves_[cursor.leaf];
  const Unit before = leaf.length[cursor.at];
  leaf.end[cursor.at] = now.end();
  leaf.length[cursor.at] = now.length;
  Bound(cursor, now.end());
  if (before == now.length) return;
  ClearLength(cursor, before);
  SetLength(cursor, now.length);
}

void ExtentTree::Bound(const Cursor& cursor, Unit end) {
  bool bounded_before = cursor.at > 0;
  for (std::size_t level = 0; level < height_; ++level) {
    const std::uint32_t slot = cursor.slot[level];
    Inner& inner = inners_[cursor.inner[level]];
    inner.last[slot] = std::max(inner.last[slot], end);
    if (!bounded_before && slot > 0) {
      // What lies before may once have reached further than it does.
      inner.last[slot - 1] = std::min(inner.last[slot - 1], end - 1);
      bounded_before = true;
    }
  }
}

bool ExtentTree::Has(const Leaf& leaf, Unit length) {
  return std::find(leaf.length, leaf.length + leaf.count, length) !=
         leaf.length + leaf.count;
}

void ExtentTree::SetLength(const Cursor& cursor, Unit length) {
  if (length >= kLongUnits) return;
  for (std::size_t level = 0; level < height_; ++level) {
    std::uint64_t& has = inners_[cursor.inner[level]].has[length];
    const std::uint64_t before = has;
    has |= Bit(cursor.slot[level]);
    if (before != 0) return;  // so the levels above know
  }
  lengths_[length / 64] |= Bit(length % 64);
}

void ExtentTree::ClearLength(const Cursor& cursor, Unit length) {
  if (length >= kLongUnits || Has(leaves_[cursor.leaf], length)) return;
  for (std::size_t level = 0; level < height_; ++level) {
    std::uint64_t& has = inners_[cursor.inner[level]].has[length];
    has &= ~Bit(cursor.slot[level]);
    if (has != 0) return;
  }
  lengths_[length / 64] &= ~Bit(length % 64);
}

// The shape of the tree.

std::uint32_t ExtentTree::NewLeaf() {
  if (!free_leaves_.empty()) {
    const std::uint32_t id = free_leaves_.back();
    free_leaves_.pop_back();
    leaves_[id].count = 0;
    return id;
  }
  leaves_.emplace_back();
  return static_cast<std::uint32_t>(leaves_.size() - 1);
}

std::uint32_t ExtentTree::NewInner() {
  if (!free_inners_.empty()) {
    const std::uint32_t id = free_inners_.back();
    free_inners_.pop_back();
    inners_[id] = Inner{};
    return id;
  }
  inners_.emplace_back();
  return static_cast<std::uint32_t>(inners_.size() - 1);
}

void ExtentTree::InsertSlot(Inner& inner, std::uint32_t slot,
                            std::uint32_t child, Unit last) {
  InsertAt(inner.child, inner.count, slot, child);
  InsertAt(inner.last, inner.count, slot, last);
  ++inner.count;
  const std::uint64_t below = Below(slot);
  for (std::uint64_t& has : inner.has) {
    has = (has & below) | (has & ~below) << 1;
  }
}

void ExtentTree::EraseSlot(Inner& inner, std::uint32_t slot) {
  EraseAt(inner.child, inner.count, slot);
  EraseAt(inner.last, inner.count, slot);
  --inner.count;
  const std::uint64_t below = Below(slot);
  for (std::uint64_t& has : inner.has) {
    has = (has & below) | (has >> 1 & ~below);
  }
}

void ExtentTree::SplitLeaf(Cursor& cursor) {
  if (inners_[cursor.inner[0]].count == kFan) SplitInner(cursor, 0);
  const std::uint32_t right_id = NewLeaf();
  Leaf& left = leaves_[cursor.leaf];
  Leaf& right = leaves_[right_id];
  const std::uint32_t half = kLeafSlots / 2;
  right.count = kLeafSlots - half;
  std::copy(left.end + half, left.end + kLeafSlots, right.end);
  std::copy(left.length + half, left.length + kLeafSlots, right.length);
  left.count = half;
  Inner& parent = inners_[cursor.inner[0]];
  const std::uint32_t slot = cursor.slot[0];
  InsertSlot(parent, slot + 1, right_id, parent.last[slot]);
  parent.last[slot] = left.end[half - 1];
  for (std::uint32_t i = 0; i < right.count; ++i) {
    const Unit length = right.length[i];
    if (length >= kLongUnits) continue;
    parent.has[length] |= Bit(slot + 1);
    if (!Has(left, length)) parent.has[length] &= ~Bit(slot);
  }
  if (cursor.at > half) {
    cursor.at -= half;
    cursor.leaf = right_id;
    ++cursor.slot[0];
  }
}

void ExtentTree::AddRoot(Cursor& cursor) {
  const std::uint32_t id = NewInner();
  Inner& root = inners_[id];
  const Inner& below = inners_[root_];
  root.count = 1;
  root.child[0] = root_;
  root.last[0] = below.last[below.count - 1];
  for (Unit i = 0; i < kLongUnits; ++i) root.has[i] = below.has[i] != 0;
  root_ = id;
  cursor.inner[height_] = id;
  cursor.slot[height_] = 0;
  ++height_;
}

void ExtentTree::SplitInner(Cursor& cursor, std::size_t level) {
  if (level + 1 == height_) {
    AddRoot(cursor);
  } else if (inners_[cursor.inner[level + 1]].count == kFan) {
    SplitInner(cursor, level + 1);
  }
  const std::uint32_t right_id = NewInner();
  Inner& left = inners_[cursor.inner[level]];
  Inner& right = inners_[right_id];
  const std::uint32_t half = kFan / 2;
  right.count = kFan - half;
  left.count = half;
  std::copy(left.child + half, left.child + kFan, right.child);
  std::copy(left.last + half, left.last + kFan, right.last);
  Inner& parent = inners_[cursor.inner[level + 1]];
  const std::uint32_t slot = cursor.slot[level + 1];
  InsertSlot(parent, slot + 1, right_id, parent.last[slot]);
  parent.last[slot] = left.last[half - 1];
  for (Unit i = 0; i < kLongUnits; ++i) {
    right.has[i] = left.has[i] >> half;
    left.has[i] &= Below(half);
    if (right.has[i] != 0) parent.has[i] |= Bit(slot + 1);
    if (left.has[i] == 0) parent.has[i] &= ~Bit(slot);
  }
  if (cursor.slot[level] >= half) {
    cursor.slot[level] -= half;
    cursor.inner[level] = right_id;
    ++cursor.slot[level + 1];
  }
}

void ExtentTree::JoinLeaf(const Cursor& cursor) {
  Inner& parent = inners_[cursor.inner[0]];
  if (parent.count == 1) return;
  const std::uint32_t slot =
      std::min(cursor.slot[0], parent.count - 2);  // the left one of the two
  Leaf& left = leaves_[parent.child[slot]];
  const Leaf& right = leaves_[parent.child[slot + 1]];
  if (left.count + right.count > kBulk) return;
  std::copy(right.end, right.end + right.count, left.end + left.count);
  std::copy(right.length, right.length + right.count, left.length + left.count);
  left.count += right.count;
  for (std::uint32_t i = 0; i < right.count; ++i) {
    if (right.length[i] < kLongUnits) parent.has[right.length[i]] |= Bit(slot);
  }
  parent.last[slot] = parent.last[slot + 1];
  free_leaves_.push_back(parent.child[slot + 1]);
  EraseSlot(parent, slot + 1);
}

void ExtentTree::RemoveChild(const Cursor& cursor, std::size_t level) {
  const std::uint32_t id = cursor.inner[level];
  EraseSlot(inners_[id], cursor.slot[level]);
  if (inners_[id].count == 0) {
    free_inners_.push_back(id);
    RemoveChild(cursor, level + 1);
    return;
  }
  while (height_ > 1 && inners_[root_].count == 1) {
    free_inners_.push_back(root_);
    root_ = inners_[root_].child[0];
    --height_;
  }
}

// The tree as a whole.

void ExtentTree::Assign(std::span<const Extent> extents) {
  leaves_.clear();
  inners_.clear();
  free_leaves_.clear();
  free_inners_.clear();
  size_ = extents.size();
  leaves_.reserve(extents.size() / kBulk + 1);
  std::vector<std::uint32_t> nodes;
  std::vector<Unit> lasts;
  do {
    const auto part =
        extents.first(std::min<std::size_t>(kBulk, extents.size()));
    extents = extents.subspan(part.size());
    nodes.push_back(NewLeaf());
    Leaf& leaf = leaves_.back();
    for (const Extent& extent : part) {
      leaf.end[leaf.count] = extent.end();
      leaf.length[leaf.count] = extent.length;
      ++leaf.count;
    }
    lasts.push_back(part.empty() ? 0 : part.back().end());
  } while (!extents.empty());
  BuildRoot(std::move(nodes), std::move(lasts));
}

void ExtentTree::BuildRoot(std::vector<std::uint32_t> nodes,
                           std::vector<Unit> lasts) {
  height_ = 0;
  do {
    std::vector<std::uint32_t> above;
    std::vector<Unit> above_lasts;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i % kBulk == 0) {
        above.push_back(NewInner());
        above_lasts.push_back(0);
      }
      Inner& inner = inners_[above.back()];
      const std::uint64_t bit = Bit(inner.count);
      inner.child[inner.count] = nodes[i];
      inner.last[inner.count] = above_lasts.back() = lasts[i];
      ++inner.count;
      if (height_ == 0) {
        const Leaf& leaf = leaves_[nodes[i]];
        for (std::uint32_t at = 0; at < leaf.count; ++at) {
          if (leaf.length[at] < kLongUnits) inner.has[leaf.length[at]] |= bit;
        }
        continue;
      }
      for (Unit length = 0; length < kLongUnits; ++length) {
        if (inners_[nodes[i]].has[length] != 0) inner.has[length] |= bit;
      }
    }
    nodes.swap(above);
    lasts.swap(above_lasts);
    ++height_;
  } while (nodes.size() > 1);
  root_ = nodes[0];
  lengths_ = {};
  for (Unit length = 0; length < kLongUnits; ++length) {
    if (inners_[root_].has[length] != 0) {
      lengths_[length / 64] |= Bit(length % 64);
    }
  }
}

std::vector<ExtentTree::Extent> ExtentTree::All() const {
  std::vector<Extent> extents;
  extents.reserve(size_);
  Cursor cursor = Seek(0);
  while (Next(cursor)) {
    const Leaf& leaf = leaves_[cursor.leaf];
    for (std::uint32_t i = 0; i < leaf.count; ++i) {
      extents.push_back({leaf.end[i] - leaf.length[i], leaf.length[i]});
    }
    cursor.at = leaf.count;
  }
  return extents;
}

// The index of lengths.

std::optional<ExtentTree::Extent> ExtentTree::First(Unit length,
                                                    Unit end) const {
  return FirstBelow(root_, height_ - 1, length, end);
}

std::optional<ExtentTree::Extent> ExtentTree::FirstBelow(std::uint32_t node,
                                                         std::size_t level,
                                                         Unit length,
                                                         Unit end) const {
  const Inner& inner = inners_[node];
  const std::uint32_t first = LowerBound(inner.last, inner.count, end);
  if (first == inner.count) return std::nullopt;
  // Only below the first of these children can all of that length be before
  // `end`.
  for (std::uint64_t bits = inner.has[length] & ~Below(first); bits != 0;
       bits &= bits - 1) {
    const std::uint32_t child =
        inner.child[static_cast<std::uint32_t>(std::countr_zero(bits))];
    if (level > 0) {
      const auto found = FirstBelow(child, level - 1, length, end);
      if (found) return found;
      continue;
    }
    const Leaf& leaf = leaves_[child];
    for (std::uint32_t i = LowerBound(leaf.end, leaf.count, end);
         i < leaf.count; ++i) {
      if (leaf.length[i] == length) return Extent{leaf.end[i] - length, length};
    }
  }
  return std::nullopt;
}

Unit ExtentTree::NextLength(Unit length) const {
  for (std::size_t word = length / 64; word < lengths_.size(); ++word) {
    std::uint64_t bits = lengths_[word];
    if (word == length / 64) bits &= ~Below(length % 64);
    if (bits != 0) {
      return static_cast<Unit>(word * 64) +
             static_cast<Unit>(std::countr_zero(bits));
    }
  }
  return kLongUnits;
}

Unit ExtentTree::LastLength(Unit length) const {
  for (std::size_t word = (length + 63) / 64; word-- > 0;) {
    std::uint64_t bits = lengths_[word];
    if (word == length / 64) bits &= Below(length % 64);
    if (bits != 0) {
      return static_cast<Unit>(word * 64 + 63) -
             static_cast<Unit>(std::countl_zero(bits));
    }
  }
  return 0;
}

}  // namespace famfs
