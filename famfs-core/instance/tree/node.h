// One directory or file of a Namespace. Two cache lines, and nothing on the
// heap for a file in one extent: an instance may have millions.
//
// A Node's name lies in its Namespace and goes with it; what outlives a tree
// copies what it needs.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "media/format.h"
#include "media/node_record.h"
#include "media/volume_attributes.h"

namespace famfs {

using NodeId = std::uint64_t;
inline constexpr NodeId kRootNode = 1;
/// The bits that ids use; the highest is left to who serves them
/// (fuse/operations/view.h).
inline constexpr NodeId kNodeIdMask = ~NodeId{0} >> 1;

/// Owner and permission bits, as the log stores them.
struct Ownership {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0755;  // permission bits only
  bool operator==(const Ownership&) const = default;
};

/// A file's extents. One is kept in place, several are on the heap.
///
/// absl::InlinedVector<MediaExtent, 1> has the same size, in the node and on
/// the heap, and is as fast. But it copies its unset place when an empty one is
/// moved, and GCC 12 warns of that (-Wmaybe-uninitialized) wherever a new Node
/// is moved: this header's users, too, would have to silence it.
class ExtentList {
 public:
  using value_type = MediaExtent;
  using const_iterator = const MediaExtent*;
  using iterator = const_iterator;

  ExtentList() = default;
  ExtentList(std::initializer_list<MediaExtent> extents) {
    assign(std::span(extents.begin(), extents.size()));
  }
  ExtentList(const ExtentList& other) { assign(other); }
  ExtentList(ExtentList&& other) noexcept { Swap(other); }
  ExtentList& operator=(ExtentList other) noexcept {
    Swap(other);
    return *this;
  }
  ~ExtentList() {
    if (count_ > 1) delete[] place_.many;
  }

  void assign(std::span<const MediaExtent> extents);
  /// Adds them at the end: each costs the same, however many there are.
  void append(std::span<const MediaExtent> extents);

  [[nodiscard]] const MediaExtent* data() const {
    return count_ > 1 ? place_.many : &place_.one;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] const_iterator begin() const { return data(); }
  [[nodiscard]] const_iterator end() const { return data() + count_; }
  const MediaExtent& operator[](std::size_t i) const { return data()[i]; }
  [[nodiscard]] const MediaExtent& front() const { return *data(); }
  bool operator==(const ExtentList& other) const;

 private:
  /// So that it doubles, and nothing has to tell how much there is.
  static std::size_t RoomFor(std::size_t count) { return std::bit_ceil(count); }
  void Swap(ExtentList& other) noexcept {
    std::swap(count_, other.count_);
    std::swap(place_, other.place_);
  }

  union Place {
    MediaExtent one{};
    MediaExtent* many;  // owned, RoomFor(count_) of them, when count_ > 1
  };

  std::size_t count_ = 0;
  Place place_;
};

/// What a node of a tree volume has besides, the volume's directory included.
struct TreeNode {
  /// One of its entries: so many of the node's extents, in their order.
  struct Piece {
    std::uint32_t number = 0;
    std::uint32_t extents = 0;
  };

  TreeId id = kVolumeRoot;
  /// Of the volume's directory, found without walking up: pods make directories
  /// in each other.
  NodeId volume = 0;
  /// The last revision, without the name, which is the Node's. Of a directory
  /// the times follow what was made and removed in it. Of the volume's
  /// directory the times alone.
  NodeRecord record;
  std::vector<Piece> pieces{};
  std::uint64_t allocated = 0;  // bytes that the pieces hold
};

struct Node {
  NodeId id = 0;
  NodeId parent = 0;
  std::string_view name;  // last component; empty for the root
  Ownership owner;
  bool is_directory = false;
  /// One of .meta/.superblock and .meta/.log, or .meta itself: not in the log.
  bool is_meta = false;

 private:
  std::uint8_t chunk_shift_ = 0;

 public:
  // Of a file; of a symbolic link the size is its target's.
  std::uint64_t size = 0;  // bytes; never beyond the extents
  ExtentList extents;      // or strips, when chunk() > 0
  /// Bytes, a power of two; 0: the extents lie one after the other.
  [[nodiscard]] std::uint64_t chunk() const {
    return chunk_shift_ == 0 ? 0 : std::uint64_t{1} << chunk_shift_;
  }
  void set_chunk(std::uint64_t bytes) {
    chunk_shift_ =
        static_cast<std::uint8_t>(bytes == 0 ? 0 : std::countr_zero(bytes));
  }

  // Of a directory.
  std::unique_ptr<const VolumeAttributes> volume;  // null: ordinary directory
  // Below a tree volume's directory, and of that itself; null elsewhere.
  std::unique_ptr<TreeNode> tree;
  std::uint32_t children = 0;  // how many

  /// Below a tree volume's directory.
  [[nodiscard]] bool in_tree() const {
    return tree != nullptr && tree->id != kVolumeRoot;
  }
  [[nodiscard]] bool is_symlink() const {
    return tree != nullptr && tree->record.kind == NodeKind::kSymlink;
  }

 private:
  // Where it stands, by the slots of node_storage.h; 0: nowhere.
  friend class Namespace;
  friend class ChildRange;
  friend class NodeStore;
  std::uint32_t slot_ = 0;
  std::uint32_t first_child_ = 0;
  std::uint32_t last_child_ = 0;
  std::uint32_t next_ = 0;      // sibling; of a free slot: the next free one
  std::uint32_t previous_ = 0;  // sibling
};
static_assert(sizeof(Node) <= 128);

/// Where byte `offset` of a file lies, and how many bytes follow it in one
/// piece.
struct Location {
  std::uint64_t device_index = 0;
  std::uint64_t device_offset = 0;  // bytes
  std::uint64_t length = 0;         // bytes, >= 1
};
/// `offset` < node.size.
Location Locate(const Node& node, std::uint64_t offset);

}  // namespace famfs
