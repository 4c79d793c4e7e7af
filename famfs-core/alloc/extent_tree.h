// Extents in order of place, with an index of their exact lengths, in one tree.
//
// A B+-tree over the extents' ends whose leaves hold up to 63 extents in 512
// bytes. An inner node has up to 64 children and, for each length below
// kLongUnits, one word with a bit for each child below which some extent has
// that length. So a change touches the path that the search by place has just
// brought into the cache, and nothing else: a second tree by length would cost
// as many cache misses again, at places that have nothing to do with the first.
// The first extent of a length is found by one bit scan a level.
//
// Instead of two absl::btree, one by place and one by length: they are 1.25
// times slower at 10 free extents, 1.4 times at 10,000 and 2.2 times at a
// million, 15 times slower to build when a log has been played, and take 1.4
// times the memory (rows free_map.* of `tests/bench/run alloc`, which fails
// when they come within 10 % at 10,000).
//
// Nodes are numbered and stand in two vectors: a copy is a copy of memory.
// Leaves that run low are joined with a neighbour; inner nodes go when empty.
// Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace famfs {

class ExtentTree {
 public:
  using Unit = std::uint32_t;
  struct Extent {
    Unit start = 0;
    Unit length = 0;
    [[nodiscard]] Unit end() const { return start + length; }
    bool operator==(const Extent&) const = default;
  };
  /// Shorter extents are in the index of lengths.
  static constexpr Unit kLongUnits = 512;
  static constexpr std::size_t kMaxHeight = 8;

  /// A place between two extents, valid until the next change of the tree
  /// other than Replace.
  struct Cursor {
    std::array<std::uint32_t, kMaxHeight> inner;  // [0]: the leaf's parent
    std::array<std::uint32_t, kMaxHeight> slot;
    std::uint32_t leaf;
    std::uint32_t at;
  };

  ExtentTree();

  /// Before the first extent whose end is at least `end`.
  [[nodiscard]] Cursor Seek(Unit end) const;
  /// Moves to the extent behind (or before) the place; false if there is none.
  bool Next(Cursor& cursor) const;
  bool Previous(Cursor& cursor) const;
  /// The extent to which Next or Previous moved.
  [[nodiscard]] Extent Get(const Cursor& cursor) const;

  /// Inserts at a place where it keeps the order.
  void Insert(Cursor cursor, Extent extent);
  void Erase(Cursor cursor);
  /// Changes an extent to one that keeps the order.
  void Replace(const Cursor& cursor, Extent now);
  /// Replaces everything by `extents`, in order of place.
  void Assign(std::span<const Extent> extents);

  /// The first extent of exactly `length` (below kLongUnits) whose end is at
  /// least `end`.
  [[nodiscard]] std::optional<Extent> First(Unit length, Unit end = 0) const;
  /// The first length from `length` on that some extent has; kLongUnits when
  /// none shorter has.
  [[nodiscard]] Unit NextLength(Unit length) const;
  /// The last below `length` (at most kLongUnits); 0 if none.
  [[nodiscard]] Unit LastLength(Unit length) const;

  [[nodiscard]] std::vector<Extent> All() const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t kLeafSlots = 63;
  static constexpr std::uint32_t kFan = 64;
  static constexpr std::uint32_t kBulk = 48;     // slots that Assign fills
  static constexpr std::uint32_t kLowLeaf = 16;  // joined below this

  struct alignas(64) Leaf {
    Unit end[kLeafSlots];
    Unit length[kLeafSlots];
    std::uint32_t count;
  };
  static_assert(sizeof(Leaf) == 512);
  struct alignas(64) Inner {
    /// No end below the child is greater, and all behind it are.
    Unit last[kFan];
    std::uint32_t child[kFan];
    std::uint32_t count;
    std::uint64_t has[kLongUnits];  // by length: bits by child
  };

  static bool Has(const Leaf& leaf, Unit length);
  std::uint32_t NewLeaf();
  std::uint32_t NewInner();
  void SetLength(const Cursor& cursor, Unit length);
  void ClearLength(const Cursor& cursor, Unit length);
  /// Makes `last` true around the extent at the cursor.
  void Bound(const Cursor& cursor, Unit end);
  void SplitLeaf(Cursor& cursor);
  void SplitInner(Cursor& cursor, std::size_t level);
  void AddRoot(Cursor& cursor);
  void JoinLeaf(const Cursor& cursor);
  void RemoveChild(const Cursor& cursor, std::size_t level);
  static void InsertSlot(Inner& inner, std::uint32_t slot, std::uint32_t child,
                         Unit last);
  static void EraseSlot(Inner& inner, std::uint32_t slot);
  void BuildRoot(std::vector<std::uint32_t> nodes, std::vector<Unit> lasts);
  [[nodiscard]] std::optional<Extent> FirstBelow(std::uint32_t node,
                                                 std::size_t level, Unit length,
                                                 Unit end) const;

  std::vector<Leaf> leaves_;
  std::vector<Inner> inners_;
  std::vector<std::uint32_t> free_leaves_;
  std::vector<std::uint32_t> free_inners_;
  std::uint32_t root_ = 0;  // an inner node, always
  std::size_t height_ = 1;  // levels of inner nodes
  std::size_t size_ = 0;    // extents
  std::array<std::uint64_t, kLongUnits / 64> lengths_{};  // bit: some has it
};

}  // namespace famfs
