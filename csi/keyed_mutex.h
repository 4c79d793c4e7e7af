// One lock per key: two keys never wait on each other. A key costs memory only
// while somebody holds it or waits for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

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
    Guard(KeyedMutex* owner, std::string key);
    void Release();
    KeyedMutex* owner_;
    std::string key_;
  };

  KeyedMutex() = default;
  KeyedMutex(const KeyedMutex&) = delete;
  KeyedMutex& operator=(const KeyedMutex&) = delete;

  /// Waits while somebody else holds the key.
  Guard Lock(std::string_view key);
  /// nullopt when somebody holds it: for callers that answer ABORTED instead.
  std::optional<Guard> TryLock(std::string_view key);

  /// How many threads wait for the key now (tests, metrics).
  [[nodiscard]] std::size_t waiters(std::string_view key) const;
  /// Keys that are held or waited for.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    bool held = false;
    std::size_t waiting = 0;
    std::condition_variable freed;
  };
  void Unlock(const std::string& key);

  mutable std::mutex
      mutex_;  // held for a few instructions, never while waiting
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace famfs::csi
