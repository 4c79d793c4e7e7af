// The log in its owner's hands: what was played of it, where it ends, and the
// records of our region that say whose it is. Every change of the instance is
// entries appended here, or a compaction that rewrites them all.
//
// Before and after each store it is looked at whether this epoch still stands
// and the log still ends where this writer left it. What contradicts that stops
// the log for good: every later change is refused with the same error.
//
// Not thread-safe: WriterState::mutex guards it.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/range.h"
#include "base/status.h"
#include "dax/device.h"
#include "dax/use_mark.h"
#include "instance/log/compaction.h"
#include "instance/log/layout.h"
#include "instance/log/log_player.h"

namespace famfs {

class OwnedLog {
 public:
  /// Makes the next epoch this host's: completes a compaction that a crash
  /// interrupted, plays the log, stores the epoch, and mends what a crash left
  /// of counters and slots. `device`, the primary, and `layout` outlive it.
  /// DataLoss when the log is broken.
  static absl::StatusOr<OwnedLog> TakeOver(DaxDevice& device, Layout& layout,
                                           const Uuid& system_uuid);

  /// Its address, and that of its tree, never change.
  [[nodiscard]] const LogPlayer& player() const { return *player_; }
  [[nodiscard]] const Namespace& tree() const { return player_->tree(); }
  /// Slots in use, and all that there are.
  [[nodiscard]] std::uint64_t entries() const { return player_->next_index(); }
  [[nodiscard]] std::uint64_t slots() const;
  [[nodiscard]] std::uint64_t epoch() const { return state_.writer_epoch; }
  /// Compactions so far.
  [[nodiscard]] std::uint64_t generation() const { return state_.generation; }

  /// Not OK: why every change is refused.
  [[nodiscard]] const absl::Status& stopped() const { return stopped_; }
  /// Returns `why`.
  absl::Status Stop(absl::Status why);
  /// Stops when memory of the layout is missing: what was loaded there cannot
  /// be judged, and what was stored cannot be acknowledged.
  absl::Status CheckMemory();
  /// That our epoch stands, and that the log still ends with our last entry.
  absl::Status CheckStillOwner();
  /// The same, and that the device's path still leads to this instance, which
  /// an append does not look at. Stops when it leads to another one.
  absl::Status CheckStanding();

  /// Stamps the entries, publishes all of them by one store, and plays them.
  /// `extents`, which they name, are taken by then. After an error nothing was
  /// published, or stopped() says why nothing more will be.
  absl::Status Append(std::span<MediaEntry> entries,
                      std::span<const MediaExtent> extents);
  /// Spends a deletion number, before an entry uses it: a crash in between
  /// skips it, and none is ever given out twice. After CheckStillOwner: a stale
  /// writer must not undo the epoch of its successor. FailedPrecondition when
  /// they are used up, as a damaged or hostile log may say.
  absl::StatusOr<std::uint64_t> TakeDeletionNumber();

  // Compacting, in this order.
  /// How many entries a compaction that may drop the entries of `released`
  /// deleted volumes would drop, at least.
  [[nodiscard]] std::uint64_t Droppable(std::size_t released) const;
  /// The log without superseded entries and those of the deleted volumes
  /// `drop`.
  absl::StatusOr<LogImage> MakeImage(
      const absl::flat_hash_set<std::string>& drop);
  /// Makes `image`, which is on the medium at `place`, the log.
  absl::Status Rewrite(const LogImage& image, const Range& place);
  /// What was of the volumes and pieces that a compaction dropped.
  struct Dropped {
    std::vector<MediaExtent> extents;     // which stay taken
    std::vector<std::string> node_files;  // their names
  };
  /// Forgets those whose entries the image leaves out.
  Dropped Forget(const absl::flat_hash_set<std::string>& drop,
                 const LogImage& image);

  // What is free on a device: of its allocator.
  ExtentAllocator& allocator(std::uint64_t device_index) {
    return player_->mutable_allocator(device_index);
  }
  absl::Status Take(const MediaExtent& extent);
  absl::Status Free(const MediaExtent& extent);

 private:
  OwnedLog(DaxDevice& device, Layout& layout)
      : device_(&device), layout_(&layout) {}

  // owned_log_open.cc
  absl::Status FinishCompaction();
  absl::Status PlayLog();
  void TakeEpoch(const Uuid& system_uuid);
  void MendLog();

  absl::Status CheckStillOwner(std::uint64_t entries, std::uint64_t last_crc);
  [[nodiscard]] absl::Status CheckNewEntry(const MediaEntry& entry) const;
  [[nodiscard]] absl::Status Overwritten(std::string_view what) const;
  void SetState(StateRecord next);
  void SetCompaction(CompactionRecord next);

  DaxDevice* device_;
  Layout* layout_;
  UseMark mark_;  // of this epoch
  std::unique_ptr<LogPlayer> player_;
  std::size_t base_nodes_ = 0;  // of an empty namespace
  StateRecord state_;
  OwnerRecord owner_;  // as this writer's take-over stored it
  CompactionRecord compaction_;
  absl::Status stopped_;
  std::uint64_t last_crc_ = 0;  // of the log's last entry
};

}  // namespace famfs
