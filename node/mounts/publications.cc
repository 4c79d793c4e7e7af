#include "node/mounts/publications.h"

namespace famfs::node {

Publications::Publications(const VolumeMounts& mounts) {
  for (const auto& [directory, entry] : mounts.Publications()) {
    paths_[directory].insert(entry->mount_point);
  }
}

void Publications::Add(const std::string& directory, const std::string& path) {
  const MutexLock lock(mutex_);
  paths_[directory].insert(path);
}

void Publications::Remove(const std::string& directory,
                          const std::string& path) {
  const MutexLock lock(mutex_);
  const auto it = paths_.find(directory);
  if (it == paths_.end()) return;
  it->second.erase(path);
  if (it->second.empty()) paths_.erase(it);
}

std::vector<std::string> Publications::Of(const std::string& directory) const {
  const MutexLock lock(mutex_);
  const auto it = paths_.find(directory);
  if (it == paths_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

}  // namespace famfs::node
