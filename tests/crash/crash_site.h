// What a crash leaves of a recorded sequence of events.
//
// The model is x86's persistent memory: what was written back is there. Of a
// cache line that was not, any prefix of its stores may have arrived, since the
// processor may evict it at any time; of the last store of that prefix any
// subset of its 8-byte words, since a copy has no order of its own. A 16-byte
// store arrives whole. Of a bulk operation under way (zeroing, copies of data)
// any subset of lines.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <vector>

#include "tests/crash/medium.h"

namespace famfs::crash {

struct Event {
  enum class Kind {
    kStore,
    kStore16,
    kWriteBack,
    kFlush,  // a write-back without its fence: it ends with the next one's
    kZero,
    kCreate,
    kRemove
  };
  Kind kind = Kind::kStore;
  Range range;                     // of the device; kRemove: offset alone
  std::vector<std::byte> bytes{};  // of a store
};

/// What becomes of lines that were not written back.
enum class Loss { kAll, kNone, kRandom };

struct Fate {
  Loss loss = Loss::kAll;
  std::uint64_t seed = 0;
};

/// Follows the events on a medium that holds what is durable. The events must
/// outlive it.
class CrashSite {
 public:
  explicit CrashSite(Medium& medium) : medium_(medium) {}

  void Advance(const Event& event);
  /// The cache writes a line of its own accord, as it may at any time.
  void EvictOne(std::mt19937_64& random);
  /// It writes all of them.
  void EvictAll();
  /// Makes the medium what the crash leaves; take it back with Rollback.
  /// `next`: the event that is under way, or null. The site itself stays.
  void Crash(Fate fate, const Event* next);
  /// Whether every fate leaves the same.
  [[nodiscard]] bool IsCertain(const Event* next) const;

 private:
  /// The part of a store that falls into one cache line.
  struct Piece {
    std::uint64_t at;  // on the device
    std::span<const std::byte> bytes;
    bool whole;  // arrives at once or not at all
  };

  void Store(const Event& event);
  void WriteBack(Range range);
  void Flush(Range range);
  void Fence();
  void Tear(const Piece& piece, std::mt19937_64& random);
  void ZeroSome(Range range, std::mt19937_64& random);

  Medium& medium_;
  std::map<std::uint64_t, std::vector<Piece>> lines_;  // not yet written back
  /// How many pieces of a line were flushed, and wait for a fence.
  std::map<std::uint64_t, std::size_t> flushed_;
};

}  // namespace famfs::crash
