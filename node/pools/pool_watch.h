// Looks at one pool again and again, in a thread of its own: a controller makes
// a new instance seconds after the plugins have started, and nobody may call
// for a pool that no node seems to have; and a pool's device may be made anew
// at any time, which nobody but who looks would notice.
//
// A look may never end, where a device or what it lies on does not answer. It
// is this thread alone that waits then: one pool that hangs stops no other, and
// calls for it are answered when their patience ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace famfs::node {

/// Thread-safe.
class PoolWatch {
 public:
  using Clock = std::chrono::steady_clock;
  /// `asked`: somebody waits for its outcome. Owns what it uses: it may outlive
  /// the watch, when it hangs.
  using Look = std::function<absl::Status(bool asked)>;
  /// Names a look that begins after it was asked for.
  using Ticket = std::uint64_t;

  /// Looks at once, then every 250 ms, more seldom while that fails.
  /// Unavailable: there is no thread for it.
  static absl::StatusOr<std::unique_ptr<PoolWatch>> Start(std::string pool,
                                                          Look look);
  /// Stop. Waits for the look under way, but not for one that hangs.
  ~PoolWatch();
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;

  /// Whoever asks before it begins shares a look.
  Ticket Ask();
  /// The outcome of that look, or of a later one. Unavailable when it has not
  /// ended by then; at once when one hangs that began long before.
  [[nodiscard]] absl::Status Await(Ticket ticket, Clock::time_point end);
  /// Waits until `done` is true after a look, at most until `end`; what it
  /// says.
  bool AwaitUntil(const std::function<bool()>& done, Clock::time_point end);

  /// No further look begins, and whoever waits is answered. Does not wait.
  void Stop();

 private:
  struct State;
  explicit PoolWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}
  static void Run(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;  // shared with the thread
};

/// How long a call waits for a look, and how long one takes that hangs.
inline constexpr std::chrono::seconds kLookPatience{3};

}  // namespace famfs::node
