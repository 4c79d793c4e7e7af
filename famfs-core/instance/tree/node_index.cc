#include "instance/tree/node_index.h"

#include <bit>
#include <utility>

namespace famfs {

void NodeIndex::Reserve(std::size_t nodes) {
  const std::size_t capacity = std::bit_ceil(nodes + nodes / 3 + 1);
  if (capacity > entries_.size()) Rehash(capacity);
}

void NodeIndex::Insert(std::uint32_t hash, std::uint32_t slot) {
  if ((used_ + 1) * 4 > entries_.size() * 3) Rehash(entries_.size() * 2);
  Place({hash, slot});
  ++used_;
}

void NodeIndex::Place(Entry entry) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = entry.hash & mask;
  while (entries_[at].slot != 0) at = (at + 1) & mask;
  entries_[at] = entry;
}

void NodeIndex::Rehash(std::size_t capacity) {
  std::vector<Entry> old(capacity);
  old.swap(entries_);
  for (const Entry& entry : old) {
    if (entry.slot != 0) Place(entry);
  }
}

void NodeIndex::Erase(std::uint32_t hash, std::uint32_t slot) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t hole = hash & mask;
  while (entries_[hole].slot != slot) hole = (hole + 1) & mask;
  // What follows and may stand in the hole moves there, so that no search ends
  // too early.
  for (std::size_t at = (hole + 1) & mask; entries_[at].slot != 0;
       at = (at + 1) & mask) {
    const std::size_t home = entries_[at].hash & mask;
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole] = {};
  --used_;
}

}  // namespace famfs
