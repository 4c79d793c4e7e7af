// One lock per key: two keys never wait on each other. A key is held by one
// alone, or shared by many. It costs memory only while somebody holds it or
// waits for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace famfs::csi {

/// Thread-safe. Not recursive: a thread that locks the key it holds waits for
/// ever. Guards must be gone before the mutex is.
class KeyedMutex {
 public:
  class [[nodiscard]] Guard {
   public:
    Guard(Guard&& other) noexcept;
    Guard& operator=(Guard&& other) noexcept;
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard();

   private:
    friend class KeyedMutex;
    Guard(std::string key, bool shared);
    void Release();
    KeyedMutex* owner_ = nullptr;  // null: holds nothing
    std::string key_;
    bool shared_;
  };

  KeyedMutex() = default;
  KeyedMutex(const KeyedMutex&) = delete;
  KeyedMutex& operator=(const KeyedMutex&) = delete;

  /// Waits while somebody else holds the key, alone or shared.
  Guard Lock(std::string_view key);
  /// The same, but no longer than `limit`: nullopt, for callers that answer
  /// ABORTED then.
  std::optional<Guard> LockWithin(std::string_view key,
                                  std::chrono::milliseconds limit);
  /// Waits while somebody holds the key alone, or waits to: many who share a
  /// key do not keep that one out for ever.
  Guard LockShared(std::string_view key);
  /// Alone, too. nullopt when somebody holds it: for callers that answer
  /// ABORTED instead.
  std::optional<Guard> TryLock(std::string_view key);

  /// How many threads wait for the key now (tests, metrics).
  [[nodiscard]] std::size_t waiters(std::string_view key) const;
  /// Keys that are held or waited for.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    /// Of somebody who wants it alone.
    [[nodiscard]] bool is_free() const { return !held && sharers == 0; }
    bool held = false;  // by one alone
    std::size_t sharers = 0;
    std::size_t waiting = 0;        // all who wait
    std::size_t waiting_alone = 0;  // those who wait to hold it alone
    CondVar freed;
  };
  void Unlock(const std::string& key, bool shared);

  mutable Mutex mutex_;  // for a few instructions, never while waiting
  std::map<std::string, Entry, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs::csi
