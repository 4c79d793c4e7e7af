#include "instance/tree/node_storage.h"

#include <cstring>
#include <utility>

namespace famfs {

Node& NodeStore::Add(Node node) {
  std::uint32_t slot = first_free_;
  if (slot != 0) {
    first_free_ = At(slot).next_;
  } else {
    slot = end_++;
    if (slot / kChunk == chunks_.size()) {
      chunks_.push_back(std::make_unique<Node[]>(kChunk));
    }
  }
  Node& place = At(slot);
  place = std::move(node);
  place.slot_ = slot;
  return place;
}

void NodeStore::Release(Node& node) {
  const std::uint32_t slot = node.slot_;
  node = Node{};
  node.next_ = first_free_;
  first_free_ = slot;
}

std::string_view NameStore::Add(std::string_view name) {
  const std::size_t units = UnitsOf(name);
  if (units == 0) return {};
  char* place = free_[units];
  if (place != nullptr) {
    std::memcpy(static_cast<void*>(&free_[units]), place, sizeof(char*));
  } else {
    if (kChunk - used_ < units * kUnit) {
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunk));
      used_ = 0;
    }
    place = chunks_.back().get() + used_;
    used_ += units * kUnit;
  }
  std::memcpy(place, name.data(), name.size());
  return {place, name.size()};
}

void NameStore::Release(std::string_view name) {
  const std::size_t units = UnitsOf(name);
  if (units == 0) return;
  // The name lies in a chunk of ours, which is not const.
  char* const place = const_cast<char*>(name.data());
  std::memcpy(place, static_cast<const void*>(&free_[units]), sizeof(char*));
  free_[units] = place;
}

}  // namespace famfs
