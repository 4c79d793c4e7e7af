// How many slots of the log a tree volume is promised for its nodes and their
// pieces (instance/log/tree_promises.h, docs/format.md, "Tree volumes").
#pragma once

#include <cstdint>

namespace famfs {

/// Slots that a tree volume of so many bytes may use for nodes and pieces:
/// three for each unit, as a small file's record, its piece and the next
/// revision need, and some for directories and links.
std::uint64_t TreeSlots(std::uint64_t capacity);
/// The largest capacity for which so many slots are enough; 0: none.
std::uint64_t TreeCapacity(std::uint64_t slots);

}  // namespace famfs
