#include "fuse/files/unsettled.h"

#include <algorithm>

namespace famfs {

void UnsettledFiles::Stored(NodeId id, std::uint32_t truncation,
                            std::uint64_t end, std::int64_t mtime_ns) {
  const MutexLock lock(mutex_);
  Unsettled& state = files_[id].state;
  if (truncation > state.truncation) state.size = 0;
  if (truncation >= state.truncation) {
    state.truncation = truncation;
    state.size = std::max(state.size, end);
  }
  state.mtime_ns = std::max(state.mtime_ns, mtime_ns);
}

std::optional<Unsettled> UnsettledFiles::Find(NodeId id) const {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return std::nullopt;
  return found->second.state;
}

std::optional<Unsettled> UnsettledFiles::Take(NodeId id, bool also_asked) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return std::nullopt;
  const Unsettled& state = found->second.state;
  if (state.size == 0 && state.mtime_ns == 0) return std::nullopt;
  if (found->second.asked > 0 && !also_asked) return std::nullopt;
  ++found->second.asked;
  return found->second.state;
}

void UnsettledFiles::Settled(NodeId id, const Unsettled& told) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return;
  Entry& entry = found->second;
  --entry.asked;
  if (entry.state.size <= told.size ||
      entry.state.truncation < told.truncation) {
    entry.state.size = 0;
  }
  if (entry.state.mtime_ns <= told.mtime_ns) entry.state.mtime_ns = 0;
  if (entry.asked == 0 && entry.state.size == 0 && entry.state.mtime_ns == 0) {
    files_.erase(found);
  }
}

void UnsettledFiles::NotSettled(NodeId id) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found != files_.end()) --found->second.asked;
}

void UnsettledFiles::ForgetTime(NodeId id) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found != files_.end()) found->second.state.mtime_ns = 0;
}

void UnsettledFiles::Forget(NodeId id) {
  const MutexLock lock(mutex_);
  files_.erase(id);
}

std::vector<NodeId> UnsettledFiles::Waiting() const {
  std::vector<NodeId> ids;
  const MutexLock lock(mutex_);
  for (const auto& [id, entry] : files_) {
    const bool is_told = entry.state.size == 0 && entry.state.mtime_ns == 0;
    if (entry.asked == 0 && !is_told) ids.push_back(id);
  }
  return ids;
}

}  // namespace famfs
