// A simulated medium: sparse memory, the extents that are allocated on it, and
// what a crash leaves of a recorded sequence of events.
//
// The model is x86's persistent memory: what was written back is there. Of a
// cache line that was not, any prefix of its stores may have arrived, since the
// processor may evict it at any time; of the last store of that prefix any
// subset of its 8-byte words, since a copy has no order of its own. A 16-byte
// store arrives whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/range.h"

namespace famfs::crash {

inline constexpr std::uint64_t kMediumSize = 4ULL << 30;  // bytes

struct Event {
  enum class Kind { kStore, kStore16, kWriteBack, kCreate, kRemove };
  Kind kind = Kind::kStore;
  Range range;                     // of the device; kRemove: offset alone
  std::vector<std::byte> bytes{};  // of a store
};

class Medium {
 public:
  /// `has_extent_files`: as an emulated device, else as a flat image.
  explicit Medium(bool has_extent_files);
  ~Medium();
  Medium(const Medium&) = delete;
  Medium& operator=(const Medium&) = delete;

  [[nodiscard]] bool has_extent_files() const { return has_extent_files_; }
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& extents() const {
    return extents_;
  }
  /// Allocates and zeroes; false when something overlaps.
  bool Create(Range range);
  void Remove(std::uint64_t offset);

 private:
  bool has_extent_files_;
  std::byte* data_;
  std::map<std::uint64_t, std::uint64_t> extents_;  // offset -> length
};

/// What becomes of lines that were not written back.
enum class Loss { kAll, kNone, kRandom };

/// Applies `events` to the medium and crashes after the last one.
void ApplyAndCrash(Medium& medium, std::span<const Event> events, Loss loss,
                   std::uint64_t seed);

}  // namespace famfs::crash
