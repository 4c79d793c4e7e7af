#include "dax/missing_memory.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>

#include "base/page.h"

namespace famfs {
namespace {

std::uintptr_t AddressOf(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// A RunGuarded under way; the innermost one of each thread is `innermost`.
struct Guard {
  std::span<const MemorySpan> memory;
  Guard* outer;
  const std::byte* missing;
  sigjmp_buf here;

  [[nodiscard]] bool Covers(std::uintptr_t address) const {
    return std::any_of(memory.begin(), memory.end(), [&](MemorySpan span) {
      const std::uintptr_t begin = AddressOf(span.data());
      return address >= begin / kPage * kPage &&
             address / kPage * kPage < begin + span.size();
    });
  }
};

constinit thread_local Guard* innermost = nullptr;

struct sigaction handler_before {};

/// A spin lock that the handler may take: a thread that holds it touches no
/// watched memory, so it is never interrupted by a handler that waits for it.
class HandlerLock {
 public:
  HandlerLock() {
    while (flag_.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~HandlerLock() { flag_.clear(std::memory_order_release); }
  HandlerLock(const HandlerLock&) = delete;
  HandlerLock& operator=(const HandlerLock&) = delete;

 private:
  static constinit std::atomic_flag flag_;
};
constinit std::atomic_flag HandlerLock::flag_;

// Both under HandlerLock.
constinit WatchedMemory* watched = nullptr;
constinit std::array<char, 256> first_missing{};

}  // namespace

/// What runs in the handler: nothing but plain loads and stores, raw system
/// calls and the jump.
struct BusErrors {
  static bool MapZeros(std::uintptr_t at, std::size_t length, bool writable) {
    return ::syscall(SYS_mmap, at, length,
                     writable ? PROT_READ | PROT_WRITE : PROT_READ,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != -1;
  }

  /// One page; all of the range where a single one cannot be replaced (huge
  /// pages, or too many mappings).
  static bool Replace(WatchedMemory& memory, std::uintptr_t address) {
    const std::uintptr_t base = AddressOf(memory.base_);
    const std::uintptr_t page = address / kPage * kPage;
    // Before the zeros are there: who sees them, sees this.
    std::size_t nothing = WatchedMemory::kNothing;
    memory.at_.compare_exchange_strong(nothing, address - base);
    if (first_missing[0] == '\0') {
      std::memcpy(first_missing.data(), memory.name_.data(),
                  std::min(memory.name_.size(), first_missing.size() - 1));
    }
    return MapZeros(page, kPage, memory.writable_) ||
           MapZeros(base, memory.length_, memory.writable_);
  }

  static bool ReplaceWatched(std::uintptr_t address) {
    const HandlerLock lock;
    for (WatchedMemory* it = watched; it != nullptr; it = it->next_) {
      const std::uintptr_t base = AddressOf(it->base_);
      if (address >= base && address < base + it->length_) {
        return Replace(*it, address);
      }
    }
    return false;
  }

  static void Handle(int number, siginfo_t* info, void* context) {
    const bool missing = info->si_code == BUS_ADRERR ||
                         info->si_code == BUS_OBJERR ||
                         info->si_code == BUS_MCEERR_AR;
    if (missing) {
      const std::uintptr_t address = AddressOf(info->si_addr);
      for (Guard* guard = innermost; guard != nullptr; guard = guard->outer) {
        if (!guard->Covers(address)) continue;
        guard->missing = static_cast<const std::byte*>(info->si_addr);
        // A jump has no mask to restore, and a sanitizer blocks all signals
        // while it calls a handler.
        ::pthread_sigmask(SIG_SETMASK,
                          &static_cast<const ucontext_t*>(context)->uc_sigmask,
                          nullptr);
        siglongjmp(guard->here, 1);
      }
      const int error = errno;
      const bool replaced = ReplaceWatched(address);
      errno = error;
      if (replaced) return;  // the instruction finds the page
    }
    // Not ours: whoever was to handle it does; the instruction meets it again.
    ::sigaction(number, &handler_before, nullptr);
    if (!missing) ::raise(number);
  }

  static void TakeOver() {
    static std::once_flag once;
    std::call_once(once, [] {
      struct sigaction action {};
      action.sa_sigaction = Handle;
      // Not blocked meanwhile: what it touches itself may be missing, too.
      action.sa_flags = SA_SIGINFO | SA_NODEFER;
      ::sigemptyset(&action.sa_mask);
      ::sigaction(SIGBUS, &action, &handler_before);
    });
  }

  static void Add(WatchedMemory& memory) {
    const HandlerLock lock;
    memory.next_ = watched;
    if (watched != nullptr) watched->previous_ = &memory;
    watched = &memory;
  }

  static void Remove(WatchedMemory& memory) {
    const HandlerLock lock;
    (memory.previous_ == nullptr ? watched : memory.previous_->next_) =
        memory.next_;
    if (memory.next_ != nullptr) memory.next_->previous_ = memory.previous_;
  }
};

const std::byte* RunGuarded(std::span<const MemorySpan> memory,
                            void (*leaf)(void*), void* argument) {
  BusErrors::TakeOver();
  Guard guard;
  guard.memory = memory;
  guard.outer = innermost;
  guard.missing = nullptr;
  if (sigsetjmp(guard.here, 0) == 0) {
    innermost = &guard;
    leaf(argument);
  }
  innermost = guard.outer;
  return guard.missing;
}

WatchedMemory::WatchedMemory(std::byte* base, std::size_t length, bool writable,
                             std::string name)
    : base_(base),
      length_((length + kPage - 1) / kPage * kPage),
      writable_(writable),
      name_(std::move(name)) {
  BusErrors::TakeOver();
  BusErrors::Add(*this);
}

WatchedMemory::~WatchedMemory() { BusErrors::Remove(*this); }

std::optional<std::string> FirstMissingMemory() {
  const HandlerLock lock;
  if (first_missing[0] == '\0') return std::nullopt;
  return std::string(first_missing.data());
}

}  // namespace famfs
