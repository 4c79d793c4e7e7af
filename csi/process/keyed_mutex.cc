#include "csi/process/keyed_mutex.h"

#include <utility>

namespace famfs::csi {

KeyedMutex::Guard::Guard(std::string key, bool shared)
    : key_(std::move(key)), shared_(shared) {}

KeyedMutex::Guard::Guard(Guard&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      key_(std::move(other.key_)),
      shared_(other.shared_) {}

KeyedMutex::Guard& KeyedMutex::Guard::operator=(Guard&& other) noexcept {
  if (this != &other) {
    Release();
    owner_ = std::exchange(other.owner_, nullptr);
    key_ = std::move(other.key_);
    shared_ = other.shared_;
  }
  return *this;
}

KeyedMutex::Guard::~Guard() { Release(); }

void KeyedMutex::Guard::Release() {
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->Unlock(key_, shared_);
}

KeyedMutex::Guard KeyedMutex::Lock(std::string_view key) {
  Guard guard(std::string(key), /*shared=*/false);
  const MutexLock lock(mutex_);
  // Elements of a map stay where they are: `entry` is good while we wait, since
  // an entry with somebody waiting is never erased.
  Entry& entry = entries_[guard.key_];
  ++entry.waiting;
  ++entry.waiting_alone;
  while (!entry.is_free()) entry.freed.Wait(mutex_);
  --entry.waiting;
  --entry.waiting_alone;
  entry.held = true;
  guard.owner_ = this;
  return guard;
}

std::optional<KeyedMutex::Guard> KeyedMutex::LockWithin(
    std::string_view key, std::chrono::milliseconds limit) {
  Guard guard(std::string(key), /*shared=*/false);
  const MutexLock lock(mutex_);
  Entry& entry = entries_[guard.key_];
  ++entry.waiting;
  ++entry.waiting_alone;
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!entry.is_free() && entry.freed.WaitUntil(mutex_, end)) {
  }
  --entry.waiting;
  --entry.waiting_alone;
  if (!entry.is_free()) {
    // Who wants to share it may have waited for us alone.
    if (!entry.held) entry.freed.NotifyAll();
    return std::nullopt;
  }
  entry.held = true;
  guard.owner_ = this;
  return guard;
}

KeyedMutex::Guard KeyedMutex::LockShared(std::string_view key) {
  Guard guard(std::string(key), /*shared=*/true);
  const MutexLock lock(mutex_);
  Entry& entry = entries_[guard.key_];
  ++entry.waiting;
  while (entry.held || entry.waiting_alone > 0) entry.freed.Wait(mutex_);
  --entry.waiting;
  ++entry.sharers;
  guard.owner_ = this;
  return guard;
}

std::optional<KeyedMutex::Guard> KeyedMutex::TryLock(std::string_view key) {
  Guard guard(std::string(key), /*shared=*/false);
  const MutexLock lock(mutex_);
  Entry& entry = entries_[guard.key_];
  // Somebody who waits goes first, also in the moment between a release and
  // their waking up.
  if (entry.held || entry.sharers > 0 || entry.waiting > 0) {
    return std::nullopt;
  }
  entry.held = true;
  guard.owner_ = this;
  return guard;
}

void KeyedMutex::Unlock(const std::string& key, bool shared) {
  const MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  if (shared) {
    --it->second.sharers;
  } else {
    it->second.held = false;
  }
  if (it->second.waiting > 0) {
    it->second.freed.NotifyAll();
  } else if (it->second.sharers == 0) {
    entries_.erase(it);
  }
}

std::size_t KeyedMutex::waiters(std::string_view key) const {
  const MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) return 0;
  // Between a release and the waking of who waited, that one has the key in all
  // but name; it still counts as waiting.
  return it->second.waiting;
}

std::size_t KeyedMutex::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace famfs::csi
