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

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/deletion/figures.h"
#include "instance/deletion/host_table.h"
#include "instance/devices/device_set.h"
#include "instance/reader/reader.h"
#include "instance/writer/file_layout.h"
#include "instance/writer/known_done.h"
#include "instance/writer/pending_file.h"
#include "instance/writer/writer_options.h"
#include "media/format.h"
#include "media/tree_request.h"
#include "media/volume_attributes.h"

namespace famfs {

struct WriterParts;

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
  [[nodiscard]] std::shared_ptr<DaxDevice> device() const;
  [[nodiscard]] const std::shared_ptr<DeviceSet>& devices() const;
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
  [[nodiscard]] std::uint64_t refilled_bytes() const;

  struct Scrubbing {
    std::uint64_t done = 0;   // bytes
    std::uint64_t total = 0;  // bytes; 0: no scrub is under way
  };
  /// Takes no lock.
  [[nodiscard]] Scrubbing ScrubProgress() const;
  /// Ends a scrub under way, and every later one; before the end of a process.
  void CancelReclaim();

  /// InvalidArgument for what the devices never allow, such as strips where the
  /// data path could be passthrough: CreateVolume's answer, in advance.
  [[nodiscard]] absl::Status CheckPlacement(
      const VolumePlacement& placement) const;
  /// Capacity for volumes of these parameters; compacts first when that frees
  /// space. 0 while the log has no slots for another volume. InvalidArgument as
  /// CreateVolume.
  absl::StatusOr<AvailableSpace> GetAvailableSpace(
      const VolumePlacement& placement = {});
  /// The same of this moment: nothing is compacted, no device taken up. Less
  /// than GetAvailableSpace where deleted space waits for a compaction.
  absl::StatusOr<AvailableSpace> AvailableSpaceNow(
      const VolumePlacement& placement) const;

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

  /// A change inside a tree volume (writer/tree_changes.h). `mark`: of the host
  /// that asks, so that the log says that it is done.
  TreeAnswer ChangeTree(const TreeRequest& request,
                        const RequestMark& mark = {});
  /// What an earlier owner may have left undone of a request that the log shows
  /// as done: before it is answered (DoneNotes::Finish).
  void FinishRequest(std::size_t row, std::uint32_t session,
                     std::uint64_t number);
  /// What a live tree volume uses of its capacity. Nothing of any other.
  [[nodiscard]] TreeUsage UsageOf(std::string_view volume) const;
  /// Of a session: the highest number whose change the log shows, with what it
  /// made or changed. Nothing while the log shows none, also after a compaction
  /// or where the change left nothing in the log.
  [[nodiscard]] std::optional<DoneRequest> LastRequestOf(
      std::uint32_t session) const;
  /// What is done of the requests of a session with that row of the host table
  /// (writer/done_notes.h).
  [[nodiscard]] KnownDone DoneOf(std::size_t row, std::uint32_t session) const;
  /// Notes in the row's mailbox that the session's requests up to `number` are
  /// done, and how that one ended: before its answer is written. An error:
  /// this writer has stopped, nothing is noted, and nothing may be answered.
  [[nodiscard]] absl::Status NoteDone(std::size_t row, std::uint32_t session,
                                      std::uint64_t number,
                                      const TreeAnswer& answer);

  /// Drops old revisions and the entries of deleted volumes whose space is
  /// scrubbed (emulated: of all), then frees their extents. Nothing to drop:
  /// OK. An extent that cannot be removed (its file is immutable, and this
  /// process may not change that) is logged, keeps its space, and is tried
  /// again by the next one.
  [[nodiscard]] absl::Status Compact();

 private:
  explicit Writer(std::unique_ptr<WriterParts> parts);

  const std::unique_ptr<WriterParts> parts_;
};

}  // namespace famfs
