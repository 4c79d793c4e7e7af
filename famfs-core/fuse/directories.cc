#include "fuse/directories.h"

namespace famfs {

std::shared_ptr<const Directories::Listing> Directories::List(
    const Node& directory, const Namespace& tree) {
  auto listing = std::make_shared<Listing>();
  listing->reserve(directory.children + 2U);
  const NodeId parent =
      directory.id == kRootNode ? kRootNode : directory.parent;
  listing->push_back({".", directory.id, true});
  listing->push_back({"..", parent, true});
  for (const Node& child : tree.Children(directory)) {
    listing->push_back({std::string(child.name), child.id, child.is_directory});
  }
  return listing;
}

std::uint64_t Directories::Open(std::shared_ptr<const Listing> listing) {
  const std::lock_guard lock(mutex_);
  open_[next_] = std::move(listing);
  return next_++;
}

void Directories::Replace(std::uint64_t handle,
                          std::shared_ptr<const Listing> listing) {
  const std::lock_guard lock(mutex_);
  open_[handle] = std::move(listing);
}

std::shared_ptr<const Directories::Listing> Directories::Find(
    std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  return found == open_.end() ? nullptr : found->second;
}

void Directories::Close(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  open_.erase(handle);
}

}  // namespace famfs
