// What was stored in files of tree volumes and the log does not say yet: up to
// which byte, and when. The server answers stat() with it, and tells the owner
// at close and fsync (TreeOp::kSettle).
//
// Kept by node, not by handle or view: both views show the same sizes, and what
// the owner could not be told at the last close is told later.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "instance/tree/node.h"

namespace famfs {

struct Unsettled {
  std::uint64_t size = 0;        // bytes: at least so many; 0: as the log says
  std::uint32_t truncation = 0;  // of which `size` was stored
  std::int64_t mtime_ns = 0;     // 0: as the log says
  bool operator==(const Unsettled&) const = default;
};

/// Thread-safe. By the Namespace's ids, without a view.
class UnsettledFiles {
 public:
  /// Bytes up to `end` were stored, as of that truncation, or only touched
  /// (`end` 0). What was stored before a later truncation is forgotten.
  void Stored(NodeId id, std::uint32_t truncation, std::uint64_t end,
              std::int64_t mtime_ns);
  [[nodiscard]] std::optional<Unsettled> Find(NodeId id) const;
  /// The same for who asks the owner: nullopt while another thread asks, too,
  /// unless `also_asked`. Ends with Settled or NotSettled.
  std::optional<Unsettled> Take(NodeId id, bool also_asked);
  /// The same for asking that no caller interrupts: one at a time does for a
  /// file. While it is under way `then` is taken to wait for its end (and is
  /// null then), unless a thousand wait: closes go on meanwhile, and what they
  /// have to tell is in Waiting() afterwards.
  using Then = std::function<void(int error)>;
  std::optional<Unsettled> TakeToShare(NodeId id, Then& then);
  /// Who waits for that one, which has ended with Settled or NotSettled.
  std::vector<Then> EndShared(NodeId id);
  /// The log says it by now.
  void Settled(NodeId id, const Unsettled& told);
  void NotSettled(NodeId id);
  /// The file's time was set: what happened before does not count any more.
  void ForgetTime(NodeId id);
  void Forget(NodeId id);
  /// Those that nobody asks the owner for.
  [[nodiscard]] std::vector<NodeId> Waiting() const;
  /// Until nobody asks the owner for any, at most until then.
  void AwaitAnswers(std::chrono::steady_clock::time_point until) const;

 private:
  struct Entry {
    Unsettled state;
    int asked = 0;        // requests that are under way
    bool shared = false;  // one of them
    std::vector<Then> sharing{};
    [[nodiscard]] bool IsTold() const {
      return state.size == 0 && state.mtime_ns == 0;
    }
  };
  mutable Mutex mutex_;
  mutable CondVar answered_;
  // In all.
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  int shared_ ABSL_GUARDED_BY(mutex_) = 0;
  void EraseIfOver(NodeId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::flat_hash_map<NodeId, Entry> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace famfs
