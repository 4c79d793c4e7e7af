#include "fuse/files/unsettled.h"

#include <algorithm>
#include <utility>

namespace famfs {
namespace {

/// Closes of one file that wait for the same answer.
constexpr std::size_t kMostSharing = 1024;

}  // namespace

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
  if (found == files_.end() || found->second.IsTold()) return std::nullopt;
  if (found->second.asked > 0 && !also_asked) return std::nullopt;
  ++found->second.asked;
  ++asked_;
  return found->second.state;
}

std::optional<Unsettled> UnsettledFiles::TakeToShare(NodeId id, Then& then) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return std::nullopt;
  Entry& entry = found->second;
  if (entry.shared) {
    if (entry.sharing.size() < kMostSharing) {
      entry.sharing.push_back(std::exchange(then, nullptr));
    }
    return std::nullopt;
  }
  if (entry.IsTold()) return std::nullopt;
  entry.shared = true;
  ++shared_;
  ++entry.asked;
  ++asked_;
  return entry.state;
}

std::vector<UnsettledFiles::Then> UnsettledFiles::EndShared(NodeId id) {
  std::vector<Then> sharing;
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return sharing;
  found->second.shared = false;
  --shared_;
  answered_.NotifyAll();
  sharing.swap(found->second.sharing);
  EraseIfOver(id);
  return sharing;
}

void UnsettledFiles::EraseIfOver(NodeId id) {
  const auto found = files_.find(id);
  const Entry& entry = found->second;
  if (entry.asked == 0 && !entry.shared && entry.IsTold()) files_.erase(found);
}

void UnsettledFiles::Settled(NodeId id, const Unsettled& told) {
  const MutexLock lock(mutex_);
  --asked_;
  answered_.NotifyAll();
  const auto found = files_.find(id);
  if (found == files_.end()) return;
  Entry& entry = found->second;
  --entry.asked;
  if (entry.state.size <= told.size ||
      entry.state.truncation < told.truncation) {
    entry.state.size = 0;
  }
  if (entry.state.mtime_ns <= told.mtime_ns) entry.state.mtime_ns = 0;
  EraseIfOver(id);
}

void UnsettledFiles::NotSettled(NodeId id) {
  const MutexLock lock(mutex_);
  --asked_;
  answered_.NotifyAll();
  const auto found = files_.find(id);
  if (found == files_.end()) return;
  --found->second.asked;
  EraseIfOver(id);
}

void UnsettledFiles::AwaitAnswers(
    std::chrono::steady_clock::time_point until) const {
  const MutexLock lock(mutex_);
  while (asked_ + shared_ > 0 && answered_.WaitUntil(mutex_, until)) {
  }
}

void UnsettledFiles::ForgetTime(NodeId id) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found != files_.end()) found->second.state.mtime_ns = 0;
}

void UnsettledFiles::Forget(NodeId id) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return;
  found->second.state = {};
  EraseIfOver(id);  // unless somebody asks for it, who comes back to it
}

std::vector<NodeId> UnsettledFiles::Waiting() const {
  std::vector<NodeId> ids;
  const MutexLock lock(mutex_);
  for (const auto& [id, entry] : files_) {
    if (entry.asked == 0 && !entry.IsTold()) ids.push_back(id);
  }
  return ids;
}

}  // namespace famfs
