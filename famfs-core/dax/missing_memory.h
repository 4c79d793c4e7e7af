// Memory that is mapped and yet not there: behind a sparse file whose file
// system is full, behind a file that somebody made shorter, in hardware that
// failed. The kernel tells by SIGBUS, at the load or the store, and whoever is
// not prepared for it dies. Here are two ways to be prepared, from any thread,
// by one handler for the whole process:
//
//   Guarded        leaves a piece of work where a byte is missing, and answers
//                  which one; nothing else changes. For copies.
//   WatchedMemory  puts a page of zeros, of this process alone, in the place of
//                  one that is missing, so that the work goes on to its end;
//                  whoever relies on it asks afterwards. For everything else:
//                  what loads and stores need not know of it.
//
// A kernel that only reports a failed page (BUS_MCEERR_AO, to who asked for it)
// has not stopped any load or store: of watched memory that is passed over, and
// the touch of the page, if there is one, tells. Any other SIGBUS ends the
// process as it would without them. No load and no store costs a system call as
// long as nothing is missing.
#pragma once

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

namespace famfs {

using MemorySpan = std::span<const std::byte>;

/// Calls leaf(argument). Null when it returned; otherwise it was left at a load
/// or a store of a byte of `memory` (or of a page that this shares), and this
/// is the byte's address. What it would have done afterwards is not done, and
/// no destructor runs: it is loads and stores of plain data, and takes no lock.
/// May be nested.
const std::byte* RunGuarded(std::span<const MemorySpan> memory,
                            void (*leaf)(void*), void* argument);

template <typename Leaf>
const std::byte* Guarded(std::initializer_list<MemorySpan> memory, Leaf leaf) {
  return RunGuarded(
      {memory.begin(), memory.size()},
      [](void* argument) { (*static_cast<Leaf*>(argument))(); }, &leaf);
}

/// A range of mapped memory, from its making to its end. Whole pages.
class WatchedMemory {
 public:
  /// `writable`: as it is mapped. `name`: for FirstMissingMemory. `unit`: bytes
  /// from the base on that can only be mapped together, a power of two and at
  /// least a page; a dax device's alignment.
  WatchedMemory(std::byte* base, std::size_t length, bool writable,
                std::string name, std::size_t unit = 0);
  ~WatchedMemory();
  WatchedMemory(const WatchedMemory&) = delete;
  WatchedMemory& operator=(const WatchedMemory&) = delete;

  /// Whether a page was missing when it was touched: then what was loaded there
  /// are zeros, and what was stored there went nowhere.
  [[nodiscard]] bool lost() const { return at_ != kNothing; }
  /// Where that was first, from the base.
  [[nodiscard]] std::optional<std::size_t> lost_at() const {
    const std::size_t at = at_;
    return at == kNothing ? std::nullopt : std::optional(at);
  }
  /// The range was mapped anew.
  void Renew() { at_ = kNothing; }

 private:
  friend struct BusErrors;
  static constexpr std::size_t kNothing = ~std::size_t{0};

  std::byte* const base_;
  const std::size_t length_;
  const bool writable_;
  const std::size_t unit_;  // bytes
  const std::string name_;
  std::atomic<std::size_t> at_{kNothing};
  WatchedMemory* next_ = nullptr;  // these two under the handler's lock
  WatchedMemory* previous_ = nullptr;
};

/// The first watched memory of this process that missed a page, by name. For
/// programs that answer once, and must not answer from zeros.
std::optional<std::string> FirstMissingMemory();

}  // namespace famfs
