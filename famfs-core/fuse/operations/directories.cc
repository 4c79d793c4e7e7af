#include "fuse/operations/directories.h"

#include <utility>

#include "instance/tree/hidden_name.h"

namespace famfs {

Directories::Listing::Listing(const Node& directory, const Namespace& tree) {
  entries_.reserve(directory.children + 2U);
  Add(".", directory.id, true);
  Add("..", directory.id == kRootNode ? kRootNode : directory.parent, true);
  for (const Node& child : tree.Children(directory)) {
    if (IsHidden(child)) continue;
    Add(child.name, child.id, child.is_directory);
  }
}

void Directories::Listing::Add(std::string_view name, NodeId id,
                               bool is_directory) {
  entries_.push_back(
      {id, static_cast<std::uint32_t>(names_.size()), is_directory});
  names_.append(name).push_back('\0');
}

std::uint64_t Directories::Open() {
  const MutexLock lock(mutex_);
  return next_++;
}

void Directories::Replace(std::uint64_t handle,
                          std::shared_ptr<const Listing> listing) {
  const MutexLock lock(mutex_);
  open_[handle] = std::move(listing);
}

std::shared_ptr<const Directories::Listing> Directories::Find(
    std::uint64_t handle) {
  const MutexLock lock(mutex_);
  const auto found = open_.find(handle);
  return found == open_.end() ? nullptr : found->second;
}

void Directories::Close(std::uint64_t handle) {
  const MutexLock lock(mutex_);
  open_.erase(handle);
}

}  // namespace famfs
