// Where a Namespace keeps its nodes and their names: in chunks, so that neither
// ever moves, and so that a million of them are a few thousand allocations.
// What is released is used again first. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "instance/tree/node.h"

namespace famfs {

/// Nodes by slot: 1, 2, ... A free slot's node has the id 0.
class NodeStore {
 public:
  /// Moves `node` into a slot.
  Node& Add(Node node);
  /// Destroys what the slot holds; the slot is free.
  void Release(Node& node);

  [[nodiscard]] Node& At(std::uint32_t slot) {
    return chunks_[slot / kChunk][slot % kChunk];
  }
  [[nodiscard]] const Node& At(std::uint32_t slot) const {
    return chunks_[slot / kChunk][slot % kChunk];
  }
  /// One past the highest slot that was ever used.
  [[nodiscard]] std::uint32_t end() const { return end_; }

 private:
  static constexpr std::uint32_t kChunk = 256;  // nodes, 32 KiB

  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::uint32_t end_ = 1;
  std::uint32_t first_free_ = 0;  // 0: none
};

/// Names of up to kMaxNodeName bytes, in units of 8.
class NameStore {
 public:
  /// A copy that stays until Release. `name` is not longer than kMaxNodeName.
  std::string_view Add(std::string_view name);
  /// `name` is what Add returned.
  void Release(std::string_view name);

 private:
  static constexpr std::size_t kUnit = 8;
  static constexpr std::size_t kChunk = 32 << 10;  // bytes

  static std::size_t UnitsOf(std::string_view name) {
    return (name.size() + kUnit - 1) / kUnit;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t used_ = kChunk;  // bytes of the last chunk
  /// Released places by their units, each holding the address of the next one.
  std::array<char*, (kMaxNodeName + kUnit) / kUnit + 1> free_{};
};

}  // namespace famfs
