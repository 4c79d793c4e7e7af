// Plays log entries into a Namespace and an ExtentAllocator, one at a time, and
// checks every rule: those on one entry (media/rules.h) and those that need
// what came before: parents first, no file twice, no extent used twice,
// revisions of a volume's directory increasing by one, nothing below a deleted
// volume.
//
// A deleted volume leaves the namespace at once; its extents stay taken until a
// compaction has dropped its entries (docs/design.md §5). So it is with the
// pieces of a tree volume's files that were removed or cut.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/allocator.h"
#include "base/range.h"
#include "base/status.h"
#include "instance/log/finding.h"
#include "instance/tree/change.h"
#include "instance/tree/namespace.h"
#include "media/format.h"

namespace famfs {

/// A deleted volume whose entries are still in the log, or a piece that no file
/// of a live tree volume has any more. Its extents stay taken until ForgetDead.
struct PendingVolume {
  std::uint64_t deletion_number = 0;
  std::vector<MediaExtent> extents;
  /// Of a tree volume: its pieces, whose extents those are.
  struct Piece {
    std::string path;
    std::vector<MediaExtent> extents;
  };
  std::vector<Piece> pieces{};
  std::vector<TreeId> files{};  // as far as the log still tells
  bool is_tree = false;         // a deleted tree volume

  [[nodiscard]] std::uint64_t bytes() const;
};
/// By the volume's directory, or by the piece's path, which has a '/'.
using PendingVolumes = absl::flat_hash_map<std::string, PendingVolume>;

/// A host's request whose change is in the log.
struct DoneRequest {
  std::uint64_t number = 0;
  TreeId node = kVolumeRoot;  // that was made or changed
  std::uint64_t size = 0;     // bytes, of that node with the change
};

/// What a live tree volume uses of what it was promised.
struct TreeUsage {
  std::uint64_t bytes = 0;    // its pieces, dead ones that are pending included
  std::uint64_t dead = 0;     // of those bytes: a compaction may give them back
  std::uint64_t entries = 0;  // nodes, without its directory, and pieces
};

/// The part of a path before its last '/'; "" when it has none.
std::string_view ParentPath(std::string_view path);
/// The extents, or the strips of an interleaved file, that a checked entry
/// uses.
std::span<const MediaExtent> ExtentsOf(const MediaFile& file);
/// The node that a checked entry makes, without its place in a tree.
Node NodeOf(const MediaFile& file);

class LogPlayer {
 public:
  /// `device_size`: bytes of device 0, the smaller of the device's and the
  /// superblock's. Superblock region and log are taken from the start.
  LogPlayer(const MediaSuperblock& superblock, std::uint64_t device_size);

  /// Applies the entry of slot `index`, which must be the next one. On error
  /// (DataLoss "entry 17: overlap: ...") nothing is changed, and the player may
  /// go on with the next entry (fsck does; a mount does not).
  /// FailedPrecondition for attributes of a newer version of ours.
  [[nodiscard]] absl::Status Apply(std::uint64_t index,
                                   const MediaEntry& entry);
  /// The same for an entry whose checksum and seqnum the caller has just seen
  /// right.
  [[nodiscard]] absl::Status ApplyIntact(std::uint64_t index,
                                         const MediaEntry& entry);
  /// The same, with the rule as a field; nullopt: applied. The rules' names:
  ///   index crc seqnum type path parent duplicate dead reserved id mode size
  ///   flags extent overlap device attributes version revision volume
  ///   record piece kind cycle
  [[nodiscard]] std::optional<Finding> TryApply(std::uint64_t index,
                                                const MediaEntry& entry);
  /// Leaves out slots that broke a rule: the next one to play is `index`.
  void SkipTo(std::uint64_t index) { next_index_ = index; }

  [[nodiscard]] const Namespace& tree() const { return tree_; }
  /// Of the device with this index: 0, or one that an entry added.
  [[nodiscard]] const ExtentAllocator& allocator(
      std::uint64_t device_index = 0) const {
    return device_index == 0 ? allocator_ : other_allocators_[device_index - 1];
  }
  ExtentAllocator& mutable_allocator(std::uint64_t device_index = 0) {
    return device_index == 0 ? allocator_ : other_allocators_[device_index - 1];
  }
  [[nodiscard]] std::uint64_t next_index() const { return next_index_; }
  /// Entries that a compaction drops, whoever still holds what was deleted:
  /// what a later one replaced, and the nodes that were removed, with their
  /// volume or by themselves.
  [[nodiscard]] std::uint64_t superseding() const { return superseding_; }

  /// Entries of files' pieces that are not pending.
  [[nodiscard]] std::uint64_t live_pieces() const { return live_pieces_; }
  /// Of the live tree volume with this directory.
  [[nodiscard]] TreeUsage UsageOf(std::string_view volume) const;
  /// Of all live tree volumes, by directory.
  [[nodiscard]] const absl::flat_hash_map<std::string, TreeUsage>& usage()
      const {
    return usage_;
  }

  /// By session: the highest number that a record names.
  [[nodiscard]] const absl::flat_hash_map<std::uint32_t, DoneRequest>& done()
      const {
    return done_;
  }

  /// Devices added by ADD_DAXDEV, by index - 1.
  [[nodiscard]] const std::vector<MediaAddDaxdev>& devices() const {
    return devices_;
  }
  /// Deleted volumes whose entries are in the log.
  [[nodiscard]] const PendingVolumes& pending() const { return pending_; }
  [[nodiscard]] std::uint64_t pending_bytes() const;  // on all devices
  /// Their extents on one device, in no order.
  [[nodiscard]] std::vector<Range> PendingOn(std::uint64_t device_index) const;
  /// Whether a path was ever used by an entry that is in the log, also a dead
  /// one.
  [[nodiscard]] bool PathInUse(std::string_view path) const;

  /// After a compaction dropped the entries of these deleted volumes and
  /// pieces: their extents are freed, their paths forgotten, slots renumbered
  /// to `next_index`. Nothing is superseded any more.
  void ForgetDead(const absl::flat_hash_set<std::string>& directories,
                  std::uint64_t next_index);

  /// From now on changes are kept for TakeChanges; before, none are.
  void RecordChanges() { record_changes_ = true; }
  /// What changed since the last call. Of a removed tree each node is told,
  /// children first.
  std::vector<Change> TakeChanges();

 private:
  struct Broken {
    std::string rule;
    std::string message;
  };
  using Verdict = std::optional<Broken>;  // nullopt: applied

  friend class FastPlay;  // the same rules, many entries at a time
  // These make up what a damaged entry would have made.
  friend class Salvager;
  friend class TreeMender;

  Verdict ApplyEntry(std::uint64_t index, const MediaEntry& entry, bool intact);
  static absl::Status ToStatus(std::uint64_t index, const Verdict& verdict);
  Verdict ApplyChecked(const MediaEntry& entry);
  Verdict ApplyFile(const MediaFile& file);
  Verdict ApplyMkdir(const MediaMkdir& mkdir);
  static Verdict ReadAttributes(
      const MediaMkdir& mkdir,
      std::unique_ptr<const VolumeAttributes>& attributes);
  Verdict ApplyAgain(const Node& directory, std::string_view path,
                     const MediaMkdir& mkdir,
                     std::unique_ptr<const VolumeAttributes> attributes);
  // log_player_tree.cc
  /// The live tree volume that an entry of this path is of; null: none.
  [[nodiscard]] const Node* TreeVolumeAbove(std::string_view path) const;
  [[nodiscard]] Verdict CheckNotPending(std::string_view path) const;
  Verdict ApplyNode(const Node& volume, const MediaMkdir& mkdir);
  Verdict ApplyNewNode(const Node& volume, TreeId id, const MediaMkdir& mkdir,
                       const NodeRecord& record);
  Verdict ApplyRevision(const Node& volume, const Node& node,
                        const MediaMkdir& mkdir, const NodeRecord& record);
  Verdict ApplyRemoval(const Node& volume, const Node& node,
                       const NodeRecord& record);
  Verdict ApplyPiece(const Node& volume, const MediaFile& file);
  Verdict ApplyDeadPiece(const Node& volume, std::string_view path,
                         std::uint64_t deletion_number,
                         std::span<const MediaExtent> extents);
  Verdict CheckPlaceOf(const Node& volume, const NodeRecord& record,
                       const Node* node, const Node*& parent) const;
  void DropPieces(const Node& volume, const Node& node, std::size_t kept,
                  std::uint64_t deletion_number);
  void DeleteTree(const Node& directory, PendingVolume& dead);
  Verdict ApplyRecord(const Node& volume, TreeId id, const MediaMkdir& mkdir,
                      const NodeRecord& record);
  Verdict ApplyAddDaxdev(const MediaAddDaxdev& device);
  Verdict CheckDead(std::string_view path) const;
  Verdict CheckVolumeName(const VolumeAttributes& attributes) const;
  /// The directory that `path` goes into.
  const Node* FindParent(std::string_view path, Verdict& verdict) const;
  Verdict TakeExtents(std::span<const MediaExtent> extents);
  void GiveBack(std::span<const MediaExtent> extents);
  void Delete(const Node& directory, std::uint64_t deletion_number);
  void Record(Change::Kind kind, const Node& node);

  Namespace tree_;
  ExtentAllocator allocator_;
  std::uint64_t device_size_;
  std::uint64_t data_start_;
  Uuid device_uuid_;
  std::uint64_t next_index_ = 0;
  std::uint64_t superseding_ = 0;
  std::vector<MediaAddDaxdev> devices_;
  std::vector<ExtentAllocator> other_allocators_;  // by device index - 1
  PendingVolumes pending_;
  std::uint64_t live_pieces_ = 0;
  absl::flat_hash_map<std::string, TreeUsage> usage_;
  absl::flat_hash_map<std::uint32_t, DoneRequest> done_;
  bool record_changes_ = false;
  std::vector<Change> changes_;
};

/// How many devices an instance can have, the primary included (upstream's
/// announced limit).
inline constexpr std::size_t kMaxDevices = 64;

}  // namespace famfs
