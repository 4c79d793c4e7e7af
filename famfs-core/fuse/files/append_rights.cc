#include "fuse/files/append_rights.h"

namespace famfs {

void AppendRights::DropAll() {
  for (auto& [id, entry] : files_) {
    entry.is_leaving = entry.is_leaving || entry.is_held;
    entry.is_held = false;
    entry.is_claimed = false;
  }
}

// One that this host asked for, and the next: with one in between, that one may
// be another's.
bool AppendRights::Accounts(Entry& entry, const Revision& now) const {
  if (now.number == entry.revision) return true;
  if (now.number != entry.revision + 1 || now.session != place_.session) {
    return false;
  }
  entry.revision = now.number;
  return true;
}

bool AppendRights::StoreAll(const Store& store) {
  AppendClaimBits bits;
  for (const auto& [id, entry] : files_) bits.Set(entry.node);
  if (bits == stored_) return true;
  if (!store(place_, bits)) return false;
  stored_ = bits;
  return true;
}

bool AppendRights::Holds(NodeId id, const MailboxPlace& place,
                         const Revision& now) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end() || !found->second.is_held) return false;
  if (place == place_ && Accounts(found->second, now)) return true;
  found->second.is_held = false;
  found->second.is_leaving = true;
  return false;
}

bool AppendRights::BeginAsking(NodeId id, TreeId node,
                               const std::optional<MailboxPlace>& place,
                               const Store& store) {
  const MutexLock lock(mutex_);
  if (place.has_value() && *place != place_) {
    DropAll();
    place_ = *place;
    stored_ = {};
  }
  Entry& entry = files_[id];
  if (entry.is_held && place.has_value()) return false;
  entry.node = node;
  if (entry.asking++ == 0) entry.is_spoiled = false;
  entry.is_claimed = place.has_value() && StoreAll(store);
  return true;
}

void AppendRights::EndAsking(NodeId id, std::optional<std::uint32_t> alone_from,
                             const Revision& now) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return;
  Entry& entry = found->second;
  // Another one that is asked says that this host appends by asking.
  if (--entry.asking > 0 || !alone_from.has_value()) return;
  if (entry.is_spoiled || !entry.is_claimed || now.number != *alone_from) {
    return;
  }
  entry.is_held = true;
  entry.is_leaving = false;
  entry.told_at = 0;
  entry.revision = *alone_from;
}

bool AppendRights::IsIdle() const {
  const MutexLock lock(mutex_);
  return files_.empty() && stored_.empty();
}

AppendRights::Next AppendRights::Look(NodeId id, TreeId node,
                                      const Revision& now) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) {
    if (now.session != 0 || !stored_.Contains(node)) return Next::kNothing;
    // The bit is another file's, and the owner waits to hear that.
    files_[id] = {.node = node, .is_leaving = true, .told_at = now.number};
    return Next::kLeave;
  }
  Entry& entry = found->second;
  if (entry.is_held && Accounts(entry, now)) return Next::kNothing;
  if (!entry.is_held && now.session != 0) {
    if (now.session != place_.session) entry.is_spoiled = true;
    return Next::kNothing;
  }
  entry.is_spoiled = true;
  entry.told_at = now.number;
  if (entry.is_held) return Next::kStop;
  entry.is_leaving = true;
  return entry.asking == 0 ? Next::kLeave : Next::kNothing;
}

bool AppendRights::Stop(NodeId id) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return false;
  found->second.is_held = false;
  found->second.is_leaving = true;
  return true;
}

std::vector<NodeId> AppendRights::Leaving() const {
  std::vector<NodeId> ids;
  const MutexLock lock(mutex_);
  for (const auto& [id, entry] : files_) {
    if (entry.is_leaving && !entry.is_held && entry.asking == 0) {
      ids.push_back(id);
    }
  }
  return ids;
}

std::optional<std::uint32_t> AppendRights::Leave(
    NodeId id, const std::function<bool()>& is_told, const Store& store) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return std::nullopt;
  if (found->second.is_held || found->second.asking > 0 || !is_told()) {
    return std::nullopt;
  }
  const std::uint32_t told_at = found->second.told_at;
  files_.erase(found);
  StoreAll(store);
  return told_at == 0 ? std::nullopt : std::optional(told_at);
}

}  // namespace famfs
