// The owner of an instance: the only one that appends to its log.
//
// What an operation acknowledged survives a crash at any store; what it did not
// acknowledge is absent or complete; nothing half-made is visible
// (docs/design.md §5). Open completes what a crash left: counters, a compaction
// under way, slots beyond the end, extent files that no entry names.
//
// Thread-safe. Zeroing and allocating an extent's pages happens outside of the
// lock, so two creations do not wait for each other's memory. Two creations of
// one path or CSI name at once: the later one is Aborted.
//
// A writer that finds out that another one took over stops: the call that
// noticed and every later change are Aborted, and nothing more is written, but
// that it takes back its own promises of space. So does one whose log or tables
// lie in memory that is missing: Unavailable. It never goes on by itself; its
// owner lets go of it and opens another one.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "dax/device.h"
#include "dax/use_mark.h"
#include "instance/deletion/clean_ranges.h"
#include "instance/deletion/host_table.h"
#include "instance/deletion/reservations.h"
#include "instance/devices/device_set.h"
#include "instance/devices/memory_source.h"
#include "instance/devices/secondary.h"
#include "instance/log/compaction.h"
#include "instance/log/layout.h"
#include "instance/log/log_player.h"
#include "instance/reader/reader.h"
#include "instance/writer/writer_lock.h"

namespace famfs {

/// Slots of the log that only state changes (deletions) may use, so that a full
/// log can still delete.
inline constexpr std::uint64_t kStateSlots = 64;

struct WriterOptions {
  Uuid system_uuid;  // must be the superblock's owner
  /// Empty: no lock. Then nothing excludes a second writer on this host either,
  /// and what two of them acknowledge may be lost; for when the orchestrator
  /// alone sees to it.
  std::string lock_directory = "/run/famfs";
  /// Become the owner if another host is. For when that host is dead or has
  /// lost the memory: if its writer is alive, it notices and stops at its next
  /// operation, but may have overwritten something by then.
  bool take_over = false;
  std::uint64_t boot = 0;  // of this host; 0: the machine's (LoadBoot)
};

/// What could be created now, in bytes; exact. Of devices that are missing
/// nothing counts, nor what the file system under a device cannot give
/// (dax/device.h, Backing).
struct Capacity {
  std::uint64_t total = 0;    // the devices
  std::uint64_t free = 0;     // sum of what volumes could still take
  std::uint64_t largest = 0;  // largest single volume
};

/// How a file made by hand is to lie; by default in one extent, in several
/// where no single one is large enough.
struct FileLayout {
  std::uint32_t strips = 0;   // 0: contiguous; else 1 to kMaxStrips
  std::uint64_t chunk = 0;    // bytes; a power of two, a multiple of 2 MiB
  std::uint32_t buckets = 0;  // 0: one strip per device; else of one device
};

/// What decides how a volume's file lies: of its attributes.
struct VolumePlacement {
  DataPath data_path = DataPath::kAuto;
  std::uint32_t strips = 0;  // 0: contiguous
  std::uint64_t chunk = 0;   // bytes

  static VolumePlacement Of(const VolumeAttributes& attributes) {
    return {.data_path = attributes.data_path,
            .strips = attributes.interleave_strips,
            .chunk = attributes.interleave_chunk};
  }
};

/// A path with its extents or strips, reserved and zero, not yet in the log.
/// Fill it, then Commit, which writes the bytes back first; destroyed without,
/// its space comes back. Must not outlive its Writer. At and WriteBack may be
/// called from several threads for different bytes, Commit by one when all are
/// done.
class PendingFile {
 public:
  virtual ~PendingFile() = default;
  /// The memory from byte `offset` of the file on, as far as it is contiguous;
  /// empty at or past the file's end.
  [[nodiscard]] virtual std::span<std::byte> At(std::uint64_t offset) = 0;
  /// Copies `bytes` to [offset, offset + bytes.size()), cut at the file's end,
  /// by the mappings' Store: what a simulated device sees.
  virtual void Store(std::uint64_t offset,
                     std::span<const std::byte> bytes) = 0;
  /// Write-back of [offset, offset + length), for who wants it to overlap the
  /// filling; Commit does not do it again for these bytes.
  virtual void WriteBack(std::uint64_t offset, std::uint64_t length) = 0;
  /// [offset, offset + length) was stored past the caches (dax/streaming.h), so
  /// Commit does not write it back either. From several threads, as WriteBack.
  virtual void NoteStreamed(std::uint64_t offset, std::uint64_t length) = 0;
  /// Mapping::Check of its memory, for who wants to know before Commit, which
  /// commits nothing where memory is missing.
  [[nodiscard]] virtual absl::Status Check() const = 0;
  /// Writer::CheckStanding, for who fills a large file: to be asked every few
  /// MiB, and nothing stored after an error, for the memory may be another
  /// file's by then. From several threads.
  [[nodiscard]] virtual absl::Status CheckStanding() = 0;
  [[nodiscard]] virtual absl::Status Commit() = 0;
};

struct AddDeviceOptions {
  /// Also a device that holds another famfs, or extents: they are lost.
  bool force = false;
  /// With force, also while others use the device (instance/deletion/in_use.h).
  bool force_in_use = false;
  /// Nothing but a device whose first unit is all zero, and which has no
  /// extents: for who adds it without a person looking on.
  bool only_blank = false;
  /// Of a device without a tag; absent: random.
  std::optional<Uuid> device_uuid = std::nullopt;
};

class Writer {
 public:
  /// InvalidArgument for the nil system uuid;
  /// PermissionDenied when another host owns the instance (says whose), else
  /// Unavailable when another process writes it, DataLoss when the log is
  /// broken.
  static absl::StatusOr<std::unique_ptr<Writer>> Open(
      std::shared_ptr<DeviceSet> devices, const WriterOptions& options);
  /// On the primary alone; secondaries that the log names are missing.
  static absl::StatusOr<std::unique_ptr<Writer>> Open(
      std::shared_ptr<DaxDevice> device, const WriterOptions& options);
  ~Writer();

  [[nodiscard]] Reader::View Tree() const;
  [[nodiscard]] const MediaSuperblock& superblock() const;
  /// The primary.
  [[nodiscard]] std::shared_ptr<DaxDevice> device() const { return device_; }
  [[nodiscard]] const std::shared_ptr<DeviceSet>& devices() const {
    return devices_;
  }
  /// What the log says of the secondary devices, by index - 1.
  [[nodiscard]] std::vector<MediaAddDaxdev> AddedDevices() const;
  [[nodiscard]] PoolFigures Figures() const;

  /// Whether this writer may still change the instance, looked at now in a few
  /// cache lines and a system call a device: what an idle one learns of a
  /// take-over from. Waits for a compaction under way. Aborted: another one
  /// took over, or its log was overwritten; IsReplaced: the device holds
  /// another instance; both for good (stopped). Unavailable: its device is out
  /// of reach now; DataLoss: the superblock is damaged. A further device that
  /// is the instance's no longer is missing from then on, and is no error.
  [[nodiscard]] absl::Status CheckStanding();
  /// It never changes anything again: let go of it, and open another one.
  [[nodiscard]] bool stopped() const;

  /// Extents that live files have in the log and that an emulated device did
  /// not hold when the writer took it up: those files cannot be read. Those on
  /// missing devices are not among them.
  [[nodiscard]] std::vector<MediaExtent> MissingExtents() const;

  /// The server sessions that are registered, closed ones left out.
  [[nodiscard]] std::vector<HostStatus> Hosts() const;
  /// Deleted volumes wait for this host no longer, and what a lost epoch's
  /// writer there reserved is free again (instance/deletion/host_table.h has
  /// the conditions, and the same without a Writer). The space itself comes
  /// back with the next Reclaim.
  [[nodiscard]] absl::Status EvictHost(const Uuid& host);

  /// Gives back all space that can be given back now: scrubs the volumes that
  /// every host has let go of, then compacts. Takes as long as zeroing them
  /// takes; nobody else waits for it, except who needs the space.
  [[nodiscard]] absl::Status Reclaim();
  /// Gives files the memory again that programs which map them gave back; each
  /// loss is logged with its owner. Before that, ends serving what servers left
  /// (DaxDevice::EndAllServing). ResourceExhausted when there is no room: call
  /// it again; an error is the first one, and the rest was tried. Looks at each
  /// extent's file, at those of emulated devices alone.
  [[nodiscard]] absl::Status RefillMemory();
  /// How many bytes that were since this writer was opened.
  [[nodiscard]] std::uint64_t refilled_bytes() const { return refilled_; }

  struct Scrubbing {
    std::uint64_t done = 0;   // bytes
    std::uint64_t total = 0;  // bytes; 0: no scrub is under way
  };
  /// Takes no lock.
  [[nodiscard]] Scrubbing ScrubProgress() const {
    return {scrub_done_, scrub_total_};
  }
  /// Ends a scrub under way, and every later one; before the end of a process.
  void CancelReclaim() { cancel_reclaim_ = true; }

  /// InvalidArgument for what the devices never allow, such as strips where the
  /// data path could be passthrough: CreateVolume's answer, in advance.
  [[nodiscard]] absl::Status CheckPlacement(
      const VolumePlacement& placement) const;
  /// Capacity for volumes of these parameters; compacts first when that frees
  /// space. 0 while the log has no slots for another volume. InvalidArgument as
  /// CreateVolume.
  absl::StatusOr<Capacity> GetCapacity(const VolumePlacement& placement = {});
  /// The same of this moment: nothing is compacted, no device taken up. Less
  /// than GetCapacity where deleted space waits for a compaction.
  absl::StatusOr<Capacity> CapacityNow(const VolumePlacement& placement) const;

  /// Adds a device to the instance: gives it a secondary superblock, then
  /// appends its ADD_DAXDEV entry; its space can be used at once. AlreadyExists
  /// when it is one of the instance's, or holds something that `options` do not
  /// give up; InvalidArgument for an emulated device where the primary is not,
  /// and the reverse; Unavailable while a writer of that has it open;
  /// FailedPrecondition while others use it, with force and without
  /// force_in_use;
  /// ResourceExhausted with 64 devices, or with the log full. A crash on the
  /// way leaves a device that a second call takes without force.
  [[nodiscard]] absl::Status AddDevice(const std::shared_ptr<DaxDevice>& device,
                                       const AddDeviceOptions& options);

  // Made by hand. A path that was ever used and is in the log is AlreadyExists,
  // also when its volume is deleted; a missing parent is NotFound; a bad path
  // InvalidArgument; a full log or device ResourceExhausted. Nothing may be
  // made inside a volume (PermissionDenied).
  [[nodiscard]] absl::Status Mkdir(std::string_view path, Ownership owner);
  /// A file of zeros. InvalidArgument for a layout that the devices do not
  /// allow.
  [[nodiscard]] absl::Status CreateFile(std::string_view path,
                                        std::uint64_t size, Ownership owner,
                                        const FileLayout& layout = {});
  absl::StatusOr<std::unique_ptr<PendingFile>> BeginFile(
      std::string_view path, std::uint64_t size, Ownership owner,
      const FileLayout& layout = {});

  /// Appends the volume's mkdir (with `attributes`) and, for layout kFile, its
  /// file `data` of attributes.capacity bytes, published by one store. Where
  /// the data path can be passthrough, the file is one
  /// extent; elsewhere it has several where no single one is large
  /// enough. In strips: one on each of so many devices or, of an instance with
  /// fewer, in as many equal parts of one device; InvalidArgument where the
  /// data path could be passthrough, or the devices are too few or too small.
  /// `directory` is new, one component. The file takes the directory's owner
  /// and its mode without the execute bits. AlreadyExists when a live volume
  /// has the CSI name or the path was used.
  [[nodiscard]] absl::Status CreateVolume(const std::string& directory,
                                          const VolumeAttributes& attributes,
                                          Ownership owner);
  /// Appends the deletion; the volume is gone from every list when it returns.
  /// NotFound when there is no such live volume. Its space comes back with the
  /// next compaction (emulated), or when the hosts have let go of it and it is
  /// scrubbed (elsewhere; Reclaim). Waits for that only when the log is full.
  [[nodiscard]] absl::Status DeleteVolume(const std::string& directory);

  /// Drops old revisions and the entries of deleted volumes whose space is
  /// scrubbed (emulated: of all), then frees their extents. Nothing to drop:
  /// OK. An extent that cannot be removed (its file is immutable, and this
  /// process may not change that) is logged, keeps its space, and is tried
  /// again by the next one.
  [[nodiscard]] absl::Status Compact();

 private:
  class PendingFileImpl;

  /// What a creation asks for before it can be published.
  struct Wanted {
    std::string path;           // of the entry that is not there yet
    bool is_volume = false;     // path is a volume's directory
    std::string volume_name{};  // the CSI name, of a volume
    VolumeKind kind = VolumeKind::kVolume;
    std::uint64_t size = 0;       // bytes of the file; 0: no file
    std::size_t max_extents = 1;  // where the layout is contiguous
    FileLayout layout{};
    std::uint64_t slots = 1;  // of the log
    bool to_fill = false;     // by the caller, before it is published
    std::vector<BackingAnswer> backings{};  // of the devices; TryReserve asks
  };
  /// What it holds until it is published or given up: the path and the name
  /// against a second creation, slots of the log, an extent.
  struct Claim {
    std::string path;
    std::string name_key{};  // of claimed_names_; empty: no volume
    std::uint64_t slots = 0;
    std::vector<MediaExtent> extents{};  // or strips, when chunk > 0
    /// By extent: where it was placed. What is found under its index later may
    /// be another device, without the extent.
    std::vector<std::shared_ptr<DaxDevice>> devices{};
    std::uint64_t chunk = 0;              // bytes
    std::vector<bool> is_zero{};          // by extent; empty: none is
    std::vector<std::size_t> promises{};  // rows of the reservations
  };
  struct ScrubJob;

  Writer(std::shared_ptr<DeviceSet> devices, Layout layout, WriterLock lock,
         const WriterOptions& options);

  // writer_open.cc
  absl::Status TakeOver(const Uuid& system_uuid);
  absl::Status FinishCompaction();
  absl::Status PlayLog();
  void TakeEpoch(const Uuid& system_uuid);
  void MendLog();

  // writer_reclaim.cc
  /// Whether deleted space may be used again only when all hosts have let go.
  [[nodiscard]] bool WaitsForHosts() const {
    return !device_->has_extent_files();
  }
  [[nodiscard]] bool ReclaimHelps() const;
  /// Whether none of a deleted volume's devices is missing.
  [[nodiscard]] bool IsPresentLocked(const PendingVolume& volume) const;
  absl::StatusOr<std::vector<ScrubJob>> FindScrubs();
  absl::Status ScrubReleased();
  absl::Status ScrubVolume(const ScrubJob& job);
  void EndQuarantinesLocked();
  absl::Status PromiseLocked(std::span<const MediaExtent> extents,
                             std::vector<std::size_t>& rows);
  absl::Status PromiseClaimLocked(const Wanted& wanted, Claim& claim);
  void EndPromisesLocked(const Claim& claim);
  /// What a writer that stopped promised, when it stores there no longer: rows
  /// that still are its own.
  void RetractPromisesLocked(std::span<const std::size_t> rows);
  /// Whether nobody stores there any more: a writer of this host that is gone.
  [[nodiscard]] bool IsOver(const ReservationRecord& promise) const;
  void LoadTables();
  void TakeUpReservation(const Reservation& row);

  // writer_memory.cc
  [[nodiscard]] std::string OwnerOf(const MediaExtent& extent) const;
  [[nodiscard]] absl::Status RefillDevice(std::uint64_t index,
                                          DaxDevice& device);

  // writer_append.cc; each with mutex_ held
  /// That our epoch stands, and that the log still ends with our last entry.
  absl::Status CheckStillOwner() {
    return CheckStillOwner(player_->next_index(), last_crc_);
  }
  absl::Status CheckStillOwner(std::uint64_t entries, std::uint64_t last_crc);
  absl::Status CheckNewEntry(const MediaEntry& entry) const;
  /// Stamps the entries, publishes all of them by one store, and plays them;
  /// `extents` are the claimed ones that they name. After an error nothing was
  /// published, or stopped_ says why nothing more will be.
  absl::Status Append(std::span<MediaEntry> entries,
                      std::span<const MediaExtent> extents);
  void SetState(StateRecord next);
  void SetCompaction(CompactionRecord next);
  absl::Status Stop(absl::Status why);
  /// Stops when memory of the layout is missing: what was loaded there cannot
  /// be judged, and what was stored cannot be acknowledged.
  absl::Status CheckMemory();
  [[nodiscard]] absl::Status Overwritten(std::string_view what) const;

  // writer_claim.cc; each takes mutex_ itself, except those named Locked
  absl::StatusOr<Claim> Reserve(const Wanted& wanted);
  absl::StatusOr<Claim> TryReserve(Wanted wanted);
  absl::Status CheckWantedLocked(const Wanted& wanted) const;
  absl::Status CheckParentLocked(const std::string& path) const;
  absl::StatusOr<Claim> TakeClaimLocked(const Wanted& wanted);
  absl::Status Publish(const Claim& claim, std::span<MediaEntry> entries);
  /// `created`: how many of its extents were created, the first ones.
  void GiveUp(const Claim& claim, std::size_t created = kMaxExtents);
  void ForgetClaimLocked(const Claim& claim);
  /// Places a file and makes its extents claimed ones.
  absl::Status PlaceLocked(const Wanted& wanted, Claim& claim);
  absl::Status CreateExtents(Claim claim);

  // writer_placement.cc
  /// Waits for the file systems under the devices: without mutex_.
  [[nodiscard]] std::vector<BackingAnswer> AskBackings() const;
  static PlacementRequest RequestOf(const Wanted& wanted);
  absl::StatusOr<Placement> PlaceFileLocked(const Wanted& wanted) const;
  absl::StatusOr<Wanted> VolumeFile(const VolumePlacement& placement) const;
  [[nodiscard]] std::vector<std::uint64_t> DeviceSizesLocked() const;
  /// By device index; null: nothing may be placed there.
  std::vector<ExtentAllocator*> AllocatorsLocked() const;

  // writer_devices.cc
  /// Looks at all devices: takes up those that were missing and are there now,
  /// lets go of those that are the instance's no longer. Without mutex_. Errors
  /// are the primary's, or why the writer has stopped.
  absl::Status AdmitDevices();
  absl::Status AdmitDevice(std::uint64_t index,
                           const std::shared_ptr<DaxDevice>& device);
  /// What of a device is taken, so that nothing else there is anybody's.
  struct Extents {
    std::vector<Range> live;   // of files
    std::vector<Range> named;  // and all others
  };
  [[nodiscard]] Extents ExtentsOn(std::uint64_t device_index) const;
  absl::Status ReconcileExtents(std::uint64_t device_index, DaxDevice& device);
  absl::StatusOr<MediaAddDaxdev> CheckNewDevice(
      const DaxDevice& device, const DeviceHead& head,
      const AddDeviceOptions& options) const;
  absl::Status CheckContents(DaxDevice& device, const DeviceHead& head,
                             const AddDeviceOptions& options) const;
  /// A slot of the log that nobody else takes until claimed_slots_ is lowered.
  absl::Status ClaimSlot();
  absl::Status TryAddDevice(const std::shared_ptr<DaxDevice>& device,
                            const AddDeviceOptions& options);

  // writer_extents.cc: one extent, on whichever device
  /// Unavailable when the device of the claim's extent is not the instance's
  /// any more.
  [[nodiscard]] absl::Status CheckPlace(const Claim& claim,
                                        std::size_t i) const;
  absl::Status CreateExtent(const Claim& claim, std::size_t i);
  absl::Status RemoveExtent(const MediaExtent& extent);
  /// Of an extent that is nobody's and still taken, and cannot be removed.
  void NoteStuckLocked(const MediaExtent& extent, const absl::Status& why);
  /// Tries again to remove those.
  void RemoveStuck();
  absl::Status TakeLocked(const MediaExtent& extent);
  absl::Status FreeLocked(const MediaExtent& extent);

  absl::Status TryDeleteVolume(const std::string& directory);

  // writer_compact.cc
  [[nodiscard]] std::uint64_t SlotsLocked() const;
  [[nodiscard]] std::uint64_t DroppableLocked() const;
  [[nodiscard]] bool CompactionHelps() const;
  /// Directories of deleted volumes whose entries a compaction may drop.
  [[nodiscard]] absl::flat_hash_set<std::string> ReleasedLocked() const;
  absl::StatusOr<std::vector<MediaExtent>> CompactLocked();
  absl::StatusOr<std::unique_ptr<Mapping>> PlaceImageLocked(
      std::uint64_t length, Range& place);
  absl::StatusOr<std::unique_ptr<Mapping>> PlaceImageInScrubbedLocked(
      std::uint64_t length, Range& place);
  static absl::Status NoRoomForImage(std::uint64_t length);
  void TakeReserveLocked();

  const std::shared_ptr<DeviceSet> devices_;
  const std::shared_ptr<DaxDevice> device_;  // the primary
  Layout layout_;
  WriterLock lock_;
  UseMark mark_;  // of this epoch
  const std::string lock_directory_;
  std::size_t base_nodes_ = 0;  // of an empty namespace

  // One compaction at a time, with the removal of its dead extents, which
  // happens outside of mutex_. Taken before mutex_.
  std::mutex compact_mutex_;
  // One scrub at a time; taken before compact_mutex_ and mutex_.
  std::mutex scrub_mutex_;
  // One device is added at a time; taken before all others.
  std::mutex add_mutex_;
  // One admission of devices at a time; taken before mutex_.
  std::mutex admit_mutex_;
  std::string admit_error_;  // under it: what was told last
  std::atomic<bool> cancel_reclaim_{false};
  std::atomic<std::uint64_t> refilled_{0};     // bytes
  std::atomic<std::uint64_t> scrub_done_{0};   // bytes
  std::atomic<std::uint64_t> scrub_total_{0};  // bytes; 0: none under way
  ThisHost self_;

  mutable SharedMutex mutex_;  // all that follows
  std::unique_ptr<LogPlayer> player_;
  /// By index: there, reconciled, and so to be used.
  std::vector<std::shared_ptr<DaxDevice>> admitted_;
  std::vector<MediaExtent> missing_;
  StateRecord state_;
  OwnerRecord owner_;  // as this writer's take-over stored it
  CompactionRecord compaction_;
  absl::Status stopped_;        // once not OK, every change is refused with it
  std::uint64_t last_crc_ = 0;  // of the log's last entry
  std::uint64_t superseded_ = 0;      // entries that a later one replaced
  std::optional<Range> reserve_;      // kept free for a compaction's image
  std::vector<MediaExtent> claimed_;  // extents of creations under way
  std::vector<MediaExtent> dying_;    // dead, not yet removed: still taken
  std::vector<MediaExtent> stuck_;    // the same, when removing them failed
  CleanRanges clean_;                 // and these three where hosts are waited
  Reservations reservations_;         // for
  std::vector<Reservation> lost_;     // of epochs that are over
  absl::flat_hash_set<std::size_t> lost_is_taken_;  // their rows, when not
                                                    // pending space
  absl::flat_hash_set<std::string> scrubbed_;  // directories of dead volumes
  std::uint64_t claimed_slots_ = 0;
  absl::flat_hash_set<std::string> claimed_paths_;
  absl::flat_hash_set<std::string> claimed_names_;  // kind, CSI name
};

}  // namespace famfs
