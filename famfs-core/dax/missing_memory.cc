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

/// What a SIGBUS says.
struct Missing {
  const void* address = nullptr;  // of failed memory, any byte of it
  std::uintptr_t at = 0;          // the same
  std::uintptr_t begin = 0;       // these two: all that cannot be touched
  std::uintptr_t end = 0;

  static Missing Of(const siginfo_t& info) {
    constexpr int kWidest = 40;  // 1 TiB: no page is larger
    std::uintptr_t size = kPage;
    const bool failed = info.si_code == BUS_MCEERR_AR;
    // Of a huge page the address is that of its failed part, and the touch may
    // have been anywhere in it.
    if (failed && info.si_addr_lsb > 12 && info.si_addr_lsb < kWidest) {
      size = std::uintptr_t{1} << info.si_addr_lsb;
    }
    const std::uintptr_t at = AddressOf(info.si_addr);
    const std::uintptr_t begin = at / size * size;
    return {
        .address = info.si_addr, .at = at, .begin = begin, .end = begin + size};
  }
};

/// A RunGuarded under way; the innermost one of each thread is `innermost`.
struct Guard {
  std::span<const MemorySpan> memory;
  Guard* outer;
  const std::byte* missing;
  sigjmp_buf here;

  /// Where memory of this one lies within the bytes that are missing; null: it
  /// has none there.
  [[nodiscard]] const std::byte* FirstIn(const Missing& where) const {
    for (const MemorySpan span : memory) {
      const std::uintptr_t begin = AddressOf(span.data());
      const std::uintptr_t end = begin + span.size();
      if (span.empty() || where.end <= begin || where.begin >= end) continue;
      if (where.at / kPage * kPage < end && where.at >= begin / kPage * kPage) {
        return static_cast<const std::byte*>(where.address);
      }
      return span.data() + (std::max(where.begin, begin) - begin);
    }
    return nullptr;
  }
};

constinit thread_local Guard* innermost = nullptr;

struct sigaction handler_before {};

/// A spin lock that the handler may take: a thread that holds it touches no
/// watched memory and has SIGBUS blocked, which may also come from elsewhere,
/// so it is never interrupted by a handler that waits for it.
class HandlerLock {
 public:
  HandlerLock() {
    sigset_t bus;
    ::sigemptyset(&bus);
    ::sigaddset(&bus, SIGBUS);
    ::pthread_sigmask(SIG_BLOCK, &bus, &before_);
    while (flag_.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~HandlerLock() {
    flag_.clear(std::memory_order_release);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HandlerLock(const HandlerLock&) = delete;
  HandlerLock& operator=(const HandlerLock&) = delete;

 private:
  static constinit std::atomic_flag flag_;
  sigset_t before_;
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
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
                     -1, 0) != -1;
  }

  /// One unit; all of the range where a single one cannot be replaced (huge
  /// pages, or too many mappings).
  static bool Replace(WatchedMemory& memory, std::uintptr_t address) {
    const std::uintptr_t base = AddressOf(memory.base_);
    const std::uintptr_t skip = (address - base) / memory.unit_ * memory.unit_;
    const std::uintptr_t length =
        std::min<std::uintptr_t>(memory.unit_, memory.length_ - skip);
    // Before the zeros are there: who sees them, sees this.
    std::size_t nothing = WatchedMemory::kNothing;
    memory.at_.compare_exchange_strong(nothing, address - base);
    if (first_missing[0] == '\0') {
      std::memcpy(first_missing.data(), memory.name_.data(),
                  std::min(memory.name_.size(), first_missing.size() - 1));
    }
    return MapZeros(base + skip, length, memory.writable_) ||
           MapZeros(base, memory.length_, memory.writable_);
  }

  static WatchedMemory* WatchedAt(std::uintptr_t address) {
    for (WatchedMemory* it = watched; it != nullptr; it = it->next_) {
      const std::uintptr_t base = AddressOf(it->base_);
      if (address >= base && address < base + it->length_) return it;
    }
    return nullptr;
  }

  static bool ReplaceWatched(std::uintptr_t address) {
    const HandlerLock lock;
    WatchedMemory* const found = WatchedAt(address);
    return found != nullptr && Replace(*found, address);
  }

  static bool IsWatched(std::uintptr_t address) {
    const HandlerLock lock;
    return WatchedAt(address) != nullptr;
  }

  static void Handle(int number, siginfo_t* info, void* context) {
    const bool missing = info->si_code == BUS_ADRERR ||
                         info->si_code == BUS_OBJERR ||
                         info->si_code == BUS_MCEERR_AR;
    const int error = errno;
    if (missing) {
      const Missing where = Missing::Of(*info);
      for (Guard* guard = innermost; guard != nullptr; guard = guard->outer) {
        const std::byte* const first = guard->FirstIn(where);
        if (first == nullptr) continue;
        guard->missing = first;
        // A jump has no mask to restore, and a sanitizer blocks all signals
        // while it calls a handler.
        ::pthread_sigmask(SIG_SETMASK,
                          &static_cast<const ucontext_t*>(context)->uc_sigmask,
                          nullptr);
        siglongjmp(guard->here, 1);
      }
      const bool replaced = ReplaceWatched(where.at);
      errno = error;
      if (replaced) return;  // the instruction finds the page
    }
    if (info->si_code == BUS_MCEERR_AO) {
      const bool watched_there = IsWatched(AddressOf(info->si_addr));
      errno = error;
      if (watched_there) return;  // nobody has touched it
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
                             std::string name, std::size_t unit)
    : base_(base),
      length_((length + kPage - 1) / kPage * kPage),
      writable_(writable),
      unit_(std::max(unit, kPage)),
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
