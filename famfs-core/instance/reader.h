// A client of an instance: plays the log and follows it. Never writes.
//
// Each pass, also an incremental one, is a seqlock over (generation, compaction
// record) of our region: a pass that a compaction overlaps is repeated; one that
// meets a compaction under way plays its image. A bad checksum at the tail is
// retried, then counts as not yet visible; in the middle it is DataLoss.
//
// Thread-safe: any number of readers of the tree beside one Refresh.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/layout.h"
#include "instance/log_player.h"

namespace famfs {

/// Figures of the whole pool, in bytes.
struct PoolFigures {
  std::uint64_t size = 0;     // the device
  std::uint64_t free = 0;     // taken by nothing
  std::uint64_t pending = 0;  // of deleted volumes, not yet free
  std::uint64_t entries = 0;  // log slots in use
  std::uint64_t slots = 0;    // log slots in all
};

class Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> Open(
      std::shared_ptr<DaxDevice> device);

  /// The tree under a shared lock, for as long as the view lives. Keep it short;
  /// a thread that holds one must not call Refresh.
  class View {
   public:
    View(std::shared_mutex& mutex, const Namespace& tree)
        : lock_(mutex), tree_(&tree) {}
    const Namespace& operator*() const { return *tree_; }
    const Namespace* operator->() const { return tree_; }

   private:
    std::shared_lock<std::shared_mutex> lock_;
    const Namespace* tree_;
  };
  [[nodiscard]] View Tree() const;

  /// Takes up what was appended (or compacted) since. With nothing new it costs
  /// three cache lines. The changes are told once, to the caller that found
  /// them. On DataLoss the tree stays as it was, and every later call says so
  /// again.
  absl::StatusOr<std::vector<Change>> Refresh();

  [[nodiscard]] const MediaSuperblock& superblock() const;
  [[nodiscard]] std::shared_ptr<DaxDevice> device() const { return device_; }
  [[nodiscard]] PoolFigures Figures() const;

 private:
  Reader(std::shared_ptr<DaxDevice> device, Layout layout);

  std::shared_ptr<DaxDevice> device_;
  Layout layout_;
  mutable std::shared_mutex mutex_;  // player_
  std::mutex refresh_mutex_;         // one Refresh at a time
  std::unique_ptr<LogPlayer> player_;
  std::uint64_t generation_ = 0;
};

}  // namespace famfs
