#include "instance/log/tree_promises.h"

#include <algorithm>

namespace famfs {
namespace {

std::uint64_t Less(std::uint64_t promised, std::uint64_t used) {
  return promised - std::min(promised, used);
}

}  // namespace

TreePromise OutstandingPromises(const LogPlayer& player) {
  TreePromise all;
  for (const auto& [directory, usage] : player.usage()) {
    const Node* node = player.tree().FindDirectory(directory);
    if (node == nullptr || node->volume == nullptr) continue;
    const std::uint64_t capacity = node->volume->capacity;
    all.bytes += Less(capacity, usage.bytes);
    all.slots += Less(TreeSlots(capacity), usage.entries);
  }
  return all;
}

}  // namespace famfs
