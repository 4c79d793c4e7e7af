// Locks that the compiler checks: clang's -Wthread-safety sees that whoever
// touches data marked ABSL_GUARDED_BY(mutex_), or calls what is marked
// ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) or ABSL_SHARED_LOCKS_REQUIRED(mutex_),
// holds the lock. tests/lint/run compiles the tree so; g++ sees nothing of it.
// It refuses a mutex that no annotation names, too, unless the comment at it
// has the words "guards no member" and says what it is for: one that keeps two
// from writing a file at once, say.
//
// They are the standard's mutexes in annotated clothes, not absl::Mutex: the
// distribution's abseil is built without ThreadSanitizer, which then sees data
// races wherever absl::Mutex excludes them.
//
//   class Counter {
//    public:
//     void Add() {
//       const MutexLock lock(mutex_);
//       ++count_;
//       changed_.NotifyAll();
//     }
//     void AwaitTen() {
//       const MutexLock lock(mutex_);
//       while (count_ < 10) changed_.Wait(mutex_);
//     }
//     bool AwaitTenUntil(std::chrono::steady_clock::time_point end) {
//       const MutexLock lock(mutex_);
//       while (count_ < 10 && changed_.WaitUntil(mutex_, end)) {
//       }
//       return count_ >= 10;
//     }
//
//    private:
//     Mutex mutex_;
//     CondVar changed_;
//     int count_ ABSL_GUARDED_BY(mutex_) = 0;
//   };
//
// A condition is a loop where it stands, not a lambda: a lambda's body is a
// function of its own to the compiler, which holds nothing.
#pragma once

#include <absl/base/attributes.h>
#include <absl/base/thread_annotations.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

// Abseil names only the release of either kind, which does not do for a scope
// that locks again at its end.
#if ABSL_HAVE_ATTRIBUTE(release_capability)
#define FAMFS_EXCLUSIVE_UNLOCK_FUNCTION(mutex) \
  __attribute__((release_capability(mutex)))
#else
#define FAMFS_EXCLUSIVE_UNLOCK_FUNCTION(mutex)
#endif

namespace famfs {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  [[nodiscard]] bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    return mutex_.try_lock();
  }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

/// Many readers or one writer.
class ABSL_LOCKABLE SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  void ReaderLock() ABSL_SHARED_LOCK_FUNCTION() { mutex_.lock_shared(); }
  void ReaderUnlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock_shared(); }

 private:
  friend class SharedCondVar;
  std::shared_mutex mutex_;
};

/// Holds a Mutex while it lives, but for the time between its Unlock and Lock.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_.Lock();
  }
  /// Of a mutex that the caller has locked, by TryLock.
  MutexLock(Mutex& mutex, std::adopt_lock_t /*locked*/)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex)
      : mutex_(mutex) {}
  ~MutexLock() ABSL_UNLOCK_FUNCTION() {
    if (held_) mutex_.Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    mutex_.Lock();
    held_ = true;
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    held_ = false;
    mutex_.Unlock();
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

/// Gives up a Mutex that the caller holds, and has it again when it ends.
class ABSL_SCOPED_LOCKABLE MutexUnlock {
 public:
  explicit MutexUnlock(Mutex& mutex) FAMFS_EXCLUSIVE_UNLOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_.Unlock();
  }
  // Its end undoes what its beginning did, which is an unlocking.
  ~MutexUnlock() ABSL_UNLOCK_FUNCTION() { mutex_.Lock(); }
  MutexUnlock(const MutexUnlock&) = delete;
  MutexUnlock& operator=(const MutexUnlock&) = delete;

 private:
  Mutex& mutex_;
};

/// Holds a SharedMutex exclusively while it lives.
class ABSL_SCOPED_LOCKABLE WriterMutexLock {
 public:
  explicit WriterMutexLock(SharedMutex& mutex)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_.Lock();
  }
  ~WriterMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  WriterMutexLock(const WriterMutexLock&) = delete;
  WriterMutexLock& operator=(const WriterMutexLock&) = delete;

 private:
  SharedMutex& mutex_;
};

/// Shared with other readers.
class ABSL_SCOPED_LOCKABLE ReaderMutexLock {
 public:
  explicit ReaderMutexLock(SharedMutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_.ReaderLock();
  }
  ~ReaderMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.ReaderUnlock(); }
  ReaderMutexLock(const ReaderMutexLock&) = delete;
  ReaderMutexLock& operator=(const ReaderMutexLock&) = delete;

 private:
  SharedMutex& mutex_;
};

/// Wakes up by NotifyOne, by NotifyAll, or by nothing: wait in a loop.
class CondVar {
 public:
  void Wait(Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    changed_.wait(lock);
    lock.release();
  }
  /// False when the time has come.
  template <typename Clock, typename Duration>
  bool WaitUntil(Mutex& mutex,
                 const std::chrono::time_point<Clock, Duration>& end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const std::cv_status status = changed_.wait_until(lock, end);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { changed_.notify_one(); }
  void NotifyAll() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

/// The same for a SharedMutex that is held exclusively.
class SharedCondVar {
 public:
  /// False when the time has come.
  template <typename Clock, typename Duration>
  bool WaitUntil(SharedMutex& mutex,
                 const std::chrono::time_point<Clock, Duration>& end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return changed_.wait_until(mutex.mutex_, end) == std::cv_status::no_timeout;
  }
  void NotifyAll() { changed_.notify_all(); }

 private:
  std::condition_variable_any changed_;
};

}  // namespace famfs
