// One directory or file of a Namespace. Two cache lines, and nothing on the
// heap for a file in one extent: an instance may have millions.
//
// A Node's name lies in its Namespace and goes with it; what outlives a tree
// copies what it needs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "media/format.h"
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
  void Swap(ExtentList& other) noexcept {
    std::swap(count_, other.count_);
    std::swap(place_, other.place_);
  }

  union Place {
    MediaExtent one{};
    MediaExtent* many;  // owned, count_ of them, when count_ > 1
  };

  std::size_t count_ = 0;
  Place place_;
};

struct Node {
  NodeId id = 0;
  NodeId parent = 0;
  std::string_view name;  // last component; empty for the root
  Ownership owner;
  bool is_directory = false;
  /// One of .meta/.superblock and .meta/.log, or .meta itself: not in the log.
  bool is_meta = false;

  // Of a file.
  std::uint64_t size = 0;   // bytes
  std::uint64_t chunk = 0;  // bytes; 0: extents one after the other
  ExtentList extents;       // or strips, when chunk > 0

  // Of a directory.
  std::unique_ptr<const VolumeAttributes> volume;  // null: ordinary directory
  std::uint32_t children = 0;                      // how many

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
