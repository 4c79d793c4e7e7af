// Extents and node files that no descriptor is open of any more, and that may
// still be mapped.
//
// The kernel tells a server when the last descriptor of a file is closed, and
// never when its last mapping goes. So the device is asked to end serving such
// an extent (DaxDevice::EndServing) again and again until it does: at once, and
// then at intervals that double up to kLongestPause. What is mapped when the
// server ends is left to the pool's owner.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "dax/device.h"

namespace famfs {

/// Thread-safe.
class StillMapped {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kFirstPause{100};
  static constexpr std::chrono::milliseconds kLongestPause{10'000};
  /// Each look costs a few system calls.
  static constexpr std::size_t kLooksPerRound = 32;

  /// The server has closed what it had of the extent. Waits for nobody.
  void Add(std::shared_ptr<DaxDevice> device, std::uint64_t offset);
  void Add(std::shared_ptr<DaxDevice> device, std::string node_file);
  /// Asks for the extents that are due, at most kLooksPerRound of them; the
  /// others in the next round. From one thread.
  void Round(Clock::time_point now);
  /// Asks for each of them once more: for a server that ends.
  void End();
  /// How many are left.
  [[nodiscard]] std::size_t size() const;

 private:
  /// An extent's offset, or a node file's name.
  using Place = std::pair<DaxDevice*, std::variant<std::uint64_t, std::string>>;
  struct Waiting {
    std::shared_ptr<DaxDevice> device;
    Clock::time_point next{};         // look
    std::chrono::milliseconds pause;  // after that
    std::uint64_t added = 0;          // by which Add, counted
  };

  void AddPlace(Place place, std::shared_ptr<DaxDevice> device);
  /// Those that are due, the longest overdue first.
  std::vector<std::pair<Place, Waiting>> Due(Clock::time_point now);
  void Look(const Place& place, const Waiting& waiting, Clock::time_point now);

  mutable Mutex mutex_;
  absl::flat_hash_map<Place, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  /// Not before, anything is due.
  Clock::time_point next_ ABSL_GUARDED_BY(mutex_){};
  std::uint64_t added_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace famfs
