#include "fuse/files/hidden_files.h"

#include <utility>

namespace famfs {

void HiddenFiles::Add(NodeId node, std::string name,
                      Clock::time_point in_doubt_until) {
  const MutexLock lock(mutex_);
  files_[node] = {std::move(name), in_doubt_until};
}

bool HiddenFiles::Contains(NodeId node) const {
  const MutexLock lock(mutex_);
  return files_.contains(node);
}

std::vector<NodeId> HiddenFiles::All() const {
  std::vector<NodeId> nodes;
  const MutexLock lock(mutex_);
  for (const auto& [node, entry] : files_) nodes.push_back(node);
  return nodes;
}

std::optional<std::string> HiddenFiles::BeginRemoval(NodeId node) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(node);
  if (found == files_.end() || std::exchange(found->second.asked, true)) {
    return std::nullopt;
  }
  return found->second.name;
}

void HiddenFiles::NotRemoved(NodeId node) {
  const MutexLock lock(mutex_);
  if (const auto found = files_.find(node); found != files_.end()) {
    found->second.asked = false;
  }
}

void HiddenFiles::Erase(NodeId node) {
  const MutexLock lock(mutex_);
  files_.erase(node);
}

void HiddenFiles::EraseIfCertain(NodeId node, Clock::time_point now) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(node);
  if (found != files_.end() && now >= found->second.in_doubt_until) {
    files_.erase(found);
  }
}

}  // namespace famfs
