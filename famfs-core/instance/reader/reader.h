// A client of an instance: plays the log and follows it. Never writes.
//
// Each pass, also an incremental one, is a seqlock over (generation, compaction
// record) of our region: a pass that a compaction overlaps is repeated; one
// that meets a compaction under way plays its image. The record's own sequence
// moves with every compaction, so it alone shows that one came between two
// passes. A bad checksum at the tail is retried, then counts as not yet
// visible; in the middle it is DataLoss.
//
// Thread-safe: any number of readers of the tree beside one Refresh.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/deletion/figures.h"
#include "instance/deletion/host_table.h"
#include "instance/devices/device_set.h"
#include "instance/log/layout.h"
#include "instance/log/log_player.h"
#include "instance/log/salvage.h"

namespace famfs {

class Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> Open(
      std::shared_ptr<DeviceSet> devices);
  /// Of an instance whose secondary devices, if it has any, are not needed.
  static absl::StatusOr<std::unique_ptr<Reader>> Open(
      std::shared_ptr<DaxDevice> device);
  /// Of an instance that may be damaged: what is whole is in the tree, what is
  /// not is told by Damage (instance/log/salvage.h). Errors only where nothing
  /// tells where the log lies. Figures take for free what damaged entries hold.
  static absl::StatusOr<std::unique_ptr<Reader>> OpenSalvaged(
      std::shared_ptr<DeviceSet> devices);
  /// Of the last pass; nothing for a reader that Open made.
  [[nodiscard]] DamageList Damage() const;

  /// The tree under a shared lock, for as long as the view lives. Keep it
  /// short; a thread that holds one must not call Refresh.
  class View {
   public:
    View(SharedMutex& mutex, const Namespace& tree)
        : lock_(mutex), tree_(&tree) {}
    /// For a player that may be replaced: looked at under the lock.
    View(SharedMutex& mutex, const std::unique_ptr<LogPlayer>& player)
        : lock_(mutex), tree_(&player->tree()) {}
    const Namespace& operator*() const { return *tree_; }
    const Namespace* operator->() const { return tree_; }

   private:
    ReaderMutexLock lock_;
    const Namespace* tree_;
  };
  [[nodiscard]] View Tree() const;

  /// Takes up what was appended (or compacted) since. With nothing new it costs
  /// five cache lines. The changes are told once, to the caller that found
  /// them. On DataLoss the tree stays as it was, and every later call says so
  /// again while the broken entry stands. Unavailable when a writer compacts
  /// without end, or died so that only its next opening can help. IsReplaced,
  /// from then on for good, when the device holds this instance no longer
  /// (instance/devices/identity.h). Mapping::Check has the errors where memory
  /// of the log is missing; a later call finds it, when it is there again.
  absl::StatusOr<std::vector<Change>> Refresh();

  [[nodiscard]] const MediaSuperblock& superblock() const;
  /// Whether the primary still holds this instance; Refresh looks, too. Not of
  /// a salvaging reader: CheckIdentity.
  [[nodiscard]] const DeviceIdentity& identity() const {
    return layout_.identity();
  }
  /// One cache line, before bytes of a file are used: IsReplaced as
  /// DeviceIdentity::CheckSuperblock; DataLoss for a superblock that became
  /// damaged, but not from a reader that salvages: it knows that one, and can
  /// tell no more by it where it names no instance.
  [[nodiscard]] absl::Status CheckIdentity() const;
  /// The primary.
  [[nodiscard]] std::shared_ptr<DaxDevice> device() const { return device_; }
  /// All that the log names; which of them are there.
  [[nodiscard]] const std::shared_ptr<DeviceSet>& devices() const {
    return devices_;
  }
  /// What the log says of the secondary devices, by index - 1.
  [[nodiscard]] std::vector<MediaAddDaxdev> AddedDevices() const;
  [[nodiscard]] PoolFigures Figures() const;
  /// Of the live tree volume with this directory.
  [[nodiscard]] TreeUsage UsageOf(std::string_view volume) const;
  /// Whether the tree is that of the log with so many entries after so many
  /// compactions, or a later one.
  [[nodiscard]] bool Shows(std::uint64_t generation, std::uint64_t entries);
  /// Reads some 400 KiB of the region. `self`: the host that looks, if it is
  /// one of the pool's.
  [[nodiscard]] SpaceReport Space(const ThisHost& self = {}) const;
  /// The registered server sessions, closed ones left out.
  [[nodiscard]] std::vector<HostStatus> Hosts(const ThisHost& self = {}) const;
  /// The deleted volumes that this reader knows of and whose entries are still
  /// in the log: those with a number above `above`.
  [[nodiscard]] std::vector<PendingVolume> Deletions(std::uint64_t above) const;

 private:
  /// What the seqlock compares: equal before and after a pass means that no
  /// compaction touched the log in between.
  struct Moment {
    std::uint64_t generation = 0;
    CompactionRecord compaction;
    /// Whether the entries are those of the record's image. A record that is no
    /// newer than the state only waits to be cleared: its log is whole.
    [[nodiscard]] bool in_image() const {
      return compaction.length != 0 && compaction.generation > generation;
    }
    bool operator==(const Moment&) const = default;
  };
  /// The entries of one pass: of the log, or of a compaction's image.
  struct Source {
    const Mapping* bytes = nullptr;
    std::unique_ptr<Mapping> image;
    MediaLogHeader header;
  };
  /// What a pass found, not yet in the tree: a whole new player, or entries to
  /// append to the one there is.
  struct Pass {
    std::unique_ptr<LogPlayer> player;
    std::vector<MediaEntry> appended;
  };
  /// An entry that breaks a rule, as it was when that was found.
  struct BrokenEntry {
    Moment moment;
    std::uint64_t index = 0;
    MediaEntry bytes{};
    absl::Status status;
  };

  /// What a reader of a damaged instance knows of it from its opening.
  struct Salvaging {
    absl::Status superblock;      // which rule it breaks, if any
    bool tells_identity = false;  // a later one is known to be another's
  };
  /// What it remembers of its last pass.
  struct SalvagedLog {
    MediaLogHeader header;
    MediaEntry tail{};  // the last entry: it may not have been visible
  };

  Reader(std::shared_ptr<DeviceSet> devices, Layout layout);

  absl::StatusOr<std::vector<Change>> TryRefresh()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::StatusOr<Moment> LoadMoment() const;
  absl::StatusOr<MediaLogHeader> LoadHeader() const;
  absl::StatusOr<Source> OpenImage(const CompactionRecord& record) const;
  absl::StatusOr<Source> OpenSource(const Moment& moment, bool trust_log) const;
  absl::StatusOr<Pass> Read(const Moment& moment, bool trust_log)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::StatusOr<Pass> ReadFrom(const Source& source, const Moment& moment,
                                bool known)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::StatusOr<std::unique_ptr<LogPlayer>> ReadWhole(const Moment& moment,
                                                       const Source& source,
                                                       std::uint64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::Status ReadAll(const Moment& moment, const Source& source,
                       std::uint64_t end, LogPlayer& player)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::Status ReadAppended(const Moment& moment, const Source& source,
                            std::vector<MediaEntry>& entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  bool StillInvisible(const Source& source, std::uint64_t index,
                      MediaEntry& entry) const;
  absl::Status Break(BrokenEntry broken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  bool StillBroken(const Moment& moment) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::StatusOr<std::vector<Change>> Commit(const Moment& moment, Pass pass)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  absl::StatusOr<std::vector<Change>> Append(
      const Moment& moment, const std::vector<MediaEntry>& entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  void ShareTable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  /// The player for the one who refreshes: nobody else changes it, so it may be
  /// looked at without mutex_, which the analysis cannot know. Null before the
  /// first pass.
  [[nodiscard]] const LogPlayer* own_player() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_)
          ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return player_.get();
  }
  /// Of the devices that are there and that the log names, by index; else null.
  [[nodiscard]] std::vector<const ExtentAllocator*> AllocatorsOf(
      const std::vector<std::shared_ptr<DaxDevice>>& present) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // reader_salvage.cc
  absl::StatusOr<std::vector<Change>> RefreshSalvaged()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);
  [[nodiscard]] Salvaged PlaySalvaged(
      const absl::StatusOr<Source>& source) const;
  [[nodiscard]] MediaEntry LastEntry(const MediaLogHeader& header) const;
  absl::Status Rebuild(const Moment& moment, std::uint64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(refresh_mutex_);

  std::shared_ptr<DeviceSet> devices_;
  std::shared_ptr<DaxDevice> device_;
  Layout layout_;
  std::optional<Salvaging> salvaging_;  // set, by the opening: what is whole
                                        // counts
  // One Refresh at a time.
  Mutex refresh_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable SharedMutex mutex_;
  std::unique_ptr<LogPlayer> player_ ABSL_GUARDED_BY(mutex_);
  DamageList damage_ ABSL_GUARDED_BY(mutex_);
  /// Of the last pass that was taken up.
  Moment moment_ ABSL_GUARDED_BY(refresh_mutex_);
  SalvagedLog salvaged_ ABSL_GUARDED_BY(refresh_mutex_);
  std::optional<BrokenEntry> broken_ ABSL_GUARDED_BY(refresh_mutex_);
  /// Not OK: every later pass is refused with it.
  absl::Status replaced_ ABSL_GUARDED_BY(refresh_mutex_);
};

}  // namespace famfs
