#include "instance/log/tree_promises.h"

#include <algorithm>

namespace famfs {
namespace {

std::uint64_t Less(std::uint64_t promised, std::uint64_t used) {
  return promised - std::min(promised, used);
}

void AddSaturated(std::uint64_t& sum, std::uint64_t more) {
  sum = more > ~sum ? ~std::uint64_t{0} : sum + more;
}

}  // namespace

TreePromise OutstandingPromises(const LogPlayer& player) {
  TreePromise all;
  for (const auto& [directory, usage] : player.usage()) {
    const Node* node = player.tree().FindDirectory(directory);
    if (node == nullptr || node->volume == nullptr) continue;
    const std::uint64_t capacity = node->volume->capacity;
    AddSaturated(all.bytes, Less(capacity, usage.bytes));
    AddSaturated(all.slots, Less(TreeSlots(capacity), usage.entries));
  }
  return all;
}

TreePromise operator+(TreePromise a, const TreePromise& b) {
  AddSaturated(a.bytes, b.bytes);
  AddSaturated(a.slots, b.slots);
  return a;
}

}  // namespace famfs
