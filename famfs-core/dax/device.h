// The one door to memory: a DaxDevice and its mapped ranges, opened by what it
// is named (dax/device_spec.h).
//
// Sizes and offsets are bytes. A device may be used from several threads; a
// Mapping's stores must be serialised by its user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/range.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "base/uuid.h"
#include "dax/device_spec.h"

namespace famfs {

/// Extents begin and end at multiples of this many bytes.
inline constexpr std::uint64_t kExtentUnit = 2ULL << 20;

enum class Access { kRead, kReadWrite };

/// The file system that gives a device its memory, and may run out of it before
/// the device is full. In bytes.
struct Backing {
  std::uint64_t file_system = 0;  // equal for devices that share it
  std::uint64_t free = 0;         // what it can still give, to anybody
  std::uint64_t owed = 0;         // of that: for extents that are taken already
};

/// A mapped range of a device. Metadata is changed only through Store, Store16,
/// WriteBack and Invalidate, so that a simulated device can see each of them;
/// bulk data is copied through data(). Unmapped by the destructor. A range that
/// does not lie within the mapping is a bug of the caller's and ends the
/// process, before it can touch foreign memory.
///
/// What is mapped can be missing all the same (dax/missing_memory.h): from the
/// first touch of such a byte on the mapping is lost. Loads there give zeros,
/// and Store, StoreZeros, ZeroStreaming, Store16 and WriteBack do nothing any
/// more, so that nothing is published after what it rests on. Whoever judges
/// what was loaded, or acknowledges what was stored, asks Check first.
class Mapping {
 public:
  virtual ~Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const std::byte* data() const { return data_; }
  /// For bulk data; only of a kReadWrite mapping.
  [[nodiscard]] std::byte* mutable_data() { return data_; }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {data_, size_};
  }

  /// Copies `bytes` to [at, at + bytes.size()). Not durable before WriteBack.
  virtual void Store(std::size_t at, std::span<const std::byte> bytes);
  /// Zeroes [at, at + length).
  virtual void StoreZeros(std::size_t at, std::size_t length);
  /// Zeroes bulk data past the caches (dax/streaming.h); durable when it
  /// returns. Several threads may do so with ranges of their own.
  virtual void ZeroStreaming(std::size_t at, std::size_t length);
  /// Two words by one 16-byte store; `at` is 16-byte aligned.
  virtual void Store16(std::size_t at, std::uint64_t first,
                       std::uint64_t second);
  /// Until this returns, a crash may keep either value of each line.
  virtual void WriteBack(std::size_t at, std::size_t length);
  /// Later loads see what other hosts have written back.
  virtual void Invalidate(std::size_t at, std::size_t length) const;

  [[nodiscard]] virtual bool lost() const { return false; }
  /// OK unless it is lost; then the error that MissingError has for the place.
  [[nodiscard]] virtual absl::Status Check() const { return absl::OkStatus(); }
  /// Why the byte at `at` is missing, as far as can be told now, naming file
  /// and byte. ResourceExhausted: its file system is full; Unavailable: the
  /// device is gone, or has another mode by now; DataLoss: the file became
  /// shorter, or the memory failed.
  [[nodiscard]] virtual absl::Status MissingError(std::size_t at) const;
  /// Maps a lost range anew, at its old address; OK at once when it is not
  /// lost. Whoever uses it at the same time sees it lost, or renewed.
  [[nodiscard]] virtual absl::Status Renew() { return absl::OkStatus(); }

 protected:
  Mapping(std::byte* data, std::size_t size) : data_(data), size_(size) {}

 private:
  std::byte* data_;
  std::size_t size_;
};

class DaxDevice {
 public:
  virtual ~DaxDevice() = default;

  /// "emulated:/dev/shm/pool": for messages, and DeviceSpec::Parse takes it
  /// again.
  [[nodiscard]] virtual std::string spec() const = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// The tag of the allocation; nil where the device has none (image).
  [[nodiscard]] virtual Uuid tag() const = 0;

  /// What a kind of device offers; always the same of a device. Each is a
  /// question of its own, whatever the kinds of today answer to the others
  /// (docs/data-paths.md has the table).
  struct Capabilities {
    /// There is a regular file for each extent, which OpenExtent answers: what
    /// FUSE passthrough needs.
    bool can_pass_through = false;
    /// A removed extent lives on for whoever maps it, and its memory is never
    /// another extent's: its space may be used again at once, and no host has
    /// to be asked whether it has let go. Elsewhere the same bytes are the next
    /// extent's. All devices of an instance answer alike.
    bool removed_extents_live_on = false;
    /// There is memory where an extent was created, and nowhere else: extents
    /// are made, listed and removed, and a crash may leave one that no entry of
    /// the log names, or a named one missing. Elsewhere all of the device is
    /// there at all times.
    bool allocates_extents = false;
    /// The bytes of a file that grows are a regular file by themselves, which
    /// has a name and no place on the device: CreateNodeFile and what follows
    /// it. Elsewhere they are extents like any others.
    bool has_node_files = false;
  };
  [[nodiscard]] virtual Capabilities capabilities() const = 0;

  /// What the device's path leads to at the moment: equal values, the same
  /// memory. Emulated: the file of the extent at 0; image: the file; devdax:
  /// the kernel's device. NotFound when it leads nowhere. Elsewhere always the
  /// same.
  struct Medium {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    /// Of a character device (st_rdev): the same by whichever node.
    std::uint64_t number = 0;
    bool operator==(const Medium&) const = default;
  };
  using MediumProbe = std::function<absl::StatusOr<Medium>()>;
  /// Looks each time that it is called, from any thread; may outlive the
  /// device, as mappings may.
  [[nodiscard]] virtual MediumProbe ProbeMedium() const {
    return [] { return Medium{}; };
  }

  /// All files that the device's memory is, at the moment, for telling who has
  /// them open: emulated, each extent's and each node's, also a malformed
  /// one's; image: its own; devdax: its node. None where there is no such file.
  virtual absl::StatusOr<std::vector<Medium>> ListMedia() {
    FAMFS_ASSIGN_OR_RETURN(const Medium only, ProbeMedium()());
    return only == Medium{} ? std::vector<Medium>{} : std::vector<Medium>{only};
  }

  /// A descriptor of its own of the file by which everybody opens the device:
  /// emulated, device.yaml; image, its file; devdax, its node. For locks
  /// (dax/use_mark.h), not for its contents. Unimplemented where it has none.
  virtual absl::StatusOr<UniqueFd> OpenKnownFile(Access /*access*/) {
    return Unimplemented("{}: no file that everybody finds", spec());
  }

  /// Maps [offset, offset + length). On an emulated device the range must lie
  /// within one extent: NotFound names it when no extent is there. OutOfRange
  /// beyond the device; PermissionDenied for kReadWrite on one opened for
  /// kRead; Unavailable when the device is gone, or has another mode by now.
  virtual absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                                       std::uint64_t length,
                                                       Access access) = 0;

  /// Makes [offset, offset + length) usable and zero. Emulated: creates the
  /// extent's file (O_EXCL; AlreadyExists if there) and allocates its pages
  /// (ResourceExhausted, and the file gone again, when the host's memory is not
  /// enough). Elsewhere: zeroes the bytes and writes them back.
  [[nodiscard]] virtual absl::Status CreateExtent(Range range) = 0;
  /// Has the memory of a range that is in use there, as far as its file system
  /// can, so that a store to it never meets SIGBUS: ResourceExhausted when
  /// there is no room. Its bytes stay as they are.
  [[nodiscard]] virtual absl::Status Allocate(Range /*range*/) {
    return absl::OkStatus();
  }
  /// Emulated: unlinks the extent's file, which lives on for who maps it; a
  /// missing one is OK. Elsewhere: does nothing.
  [[nodiscard]] virtual absl::Status RemoveExtent(std::uint64_t offset) = 0;
  /// What new extents get their memory from. `taken`: bytes of the device that
  /// extents have. Nothing where no file system can run out: the device is its
  /// own memory, or was told to promise more than there is (sparse). An error,
  /// such as NotFound, when the device is out of reach.
  virtual absl::StatusOr<std::optional<Backing>> FindBacking(
      std::uint64_t /*taken*/) {
    return std::nullopt;
  }
  /// Where in a range there may be anything but zeros, by offset. Image: what
  /// its file system holds pages of. Elsewhere: all of it.
  virtual absl::StatusOr<std::vector<Range>> DataIn(Range range) {
    return std::vector<Range>{range};
  }
  /// Emulated: each extent that has a file, by offset. Elsewhere: the whole
  /// device as one range.
  virtual absl::StatusOr<std::vector<Range>> ListExtents() = 0;
  /// Emulated: one sentence for each file that has an extent's name and is not
  /// a proper extent (ListExtents leaves it out, Map answers DataLoss), and for
  /// each node file that is no regular file (ListNodeFiles leaves it out,
  /// OpenNodeFile answers DataLoss). Elsewhere: none.
  virtual absl::StatusOr<std::vector<std::string>> MalformedExtents() {
    return std::vector<std::string>{};
  }
  /// EndAllServing, and removes what a CreateExtent left behind when its
  /// process was killed; such leftovers hold memory but are never extents. For
  /// the one writer, before it creates its first extent; a device opened for
  /// kRead: PermissionDenied.
  [[nodiscard]] virtual absl::Status CleanUp() { return absl::OkStatus(); }

  /// A descriptor (O_RDWR; O_RDONLY where the device was opened for kRead or
  /// the file's permissions do not allow more) of a regular file whose byte 0
  /// is the device's byte `offset`: what passthrough needs. NotFound when no
  /// extent begins there; Unimplemented where the kind has no such file.
  virtual absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) = 0;

  /// OpenExtent for what programs are to map: until EndServing says so nobody
  /// can give the extent's memory back (dax/extent_pin.h), where the machine
  /// can forbid that.
  virtual absl::StatusOr<UniqueFd> ServeExtent(std::uint64_t offset) {
    return OpenExtent(offset);
  }
  /// When the caller has closed what ServeExtent gave him. True: that is over,
  /// or the extent is gone. False: somebody on this machine still has it open
  /// for writing or mapped, so nothing has changed; ask again. Does not wait.
  virtual absl::StatusOr<bool> EndServing(std::uint64_t /*offset*/) {
    return true;
  }
  /// EndServing of all that is there, node files too, whoever served it: a
  /// server that was killed leaves the ending to the owner. An error is the
  /// first one; the rest was tried.
  [[nodiscard]] virtual absl::Status EndAllServing() {
    return absl::OkStatus();
  }
  /// An extent, and how many bytes of the memory it was created with are gone.
  struct Lacking {
    Range extent;
    std::uint64_t missing = 0;
  };
  /// By offset. None of a device that promises no memory (sparse) or that
  /// cannot tell.
  virtual absl::StatusOr<std::vector<Lacking>> GivenBack() {
    return std::vector<Lacking>{};
  }
  /// Gives an extent the memory that it lacks; its bytes are zero.
  /// ResourceExhausted when there is no room.
  [[nodiscard]] virtual absl::Status Refill(Range /*extent*/) {
    return absl::OkStatus();
  }

  // Node files, where capabilities().has_node_files; elsewhere those that would
  // make or open one are Unimplemented, and there is none to list or remove.
  // The size of a node file is that of the file whose bytes it holds; memory is
  // allocated beyond it, by the owner, so that a store meets neither SIGBUS nor
  // ENOSPC, and no pod's cgroup pays for it. All may be called from several
  // threads and processes at a time. Each that changes something is
  // PermissionDenied on a device opened for kRead; each by name is
  // InvalidArgument for a name that is none (dax/node_files.h: chosen by the
  // caller, text and 16 digits), NotFound where there is no such file, DataLoss
  // where what has the name is no regular file, and Unavailable when another
  // process keeps the file locked: try again.

  /// Makes an empty one (0600). AlreadyExists; also for a symbolic link.
  [[nodiscard]] virtual absl::Status CreateNodeFile(std::string_view /*name*/) {
    return NoNodeFiles();
  }
  /// A descriptor of it, O_RDONLY or O_RDWR, which keeps no access times: for
  /// passthrough and for pread and pwrite, also beyond its size. Not to map it:
  /// stores beyond its size kill. From kReadWrite on, nobody can give the
  /// file's memory back, as with ServeExtent, until EndServingNodeFile says so.
  /// Meanwhile ftruncate by the descriptor may fail with EPERM, and fallocate
  /// does: use the calls below.
  virtual absl::StatusOr<UniqueFd> OpenNodeFile(std::string_view /*name*/,
                                                Access /*access*/) {
    return NoNodeFiles();
  }
  /// Maps [at, at + length) of it, all of which lies below its size: OutOfRange
  /// else, and InvalidArgument for an empty range. When the file is cut while
  /// it is mapped, the mapping is lost at the first touch of what went. For who
  /// reads or fills it for a moment: what forbids giving its memory back
  /// neither hinders this nor comes with it.
  virtual absl::StatusOr<std::unique_ptr<Mapping>> MapNodeFile(
      std::string_view /*name*/, std::uint64_t /*at*/, std::uint64_t /*length*/,
      Access /*access*/) {
    return NoNodeFiles();
  }
  /// EndServing of a node file; also EndAllServing does it.
  virtual absl::StatusOr<bool> EndServingNodeFile(std::string_view /*name*/) {
    return true;
  }
  /// Gives it memory for all of the range where it has none; its bytes there
  /// are zero. Its size stays. Nothing on a sparse device. ResourceExhausted
  /// when the file system is full, and then it has no more than before (tmpfs;
  /// elsewhere as far as the file system undoes it); Unimplemented where the
  /// file system cannot do it. Whoever opens the file for the first time
  /// meanwhile waits: some milliseconds for each GiB.
  [[nodiscard]] virtual absl::Status AllocateNodeFile(std::string_view /*name*/,
                                                      Range /*range*/) {
    return NoNodeFiles();
  }
  /// Sets its size. Shrinking gives the memory behind the new size back but has
  /// it again up to byte `allocated`, zeroed, when this returns; if there was
  /// no room, ResourceExhausted, and the size is the new one all the same.
  /// Growing is LengthenNodeFile: what lay behind it becomes readable, which is
  /// zero unless it was stored there through a mapping.
  [[nodiscard]] virtual absl::Status ResizeNodeFile(
      std::string_view /*name*/, std::uint64_t /*size*/,
      std::uint64_t /*allocated*/) {
    return NoNodeFiles();
  }
  /// Makes its size at least that. What others store meanwhile stays, and it is
  /// never made shorter. ResourceExhausted where its last byte has no memory
  /// and there is none.
  [[nodiscard]] virtual absl::Status LengthenNodeFile(std::string_view /*name*/,
                                                      std::uint64_t /*size*/) {
    return NoNodeFiles();
  }
  /// Gives memory beyond byte `allocated` back, as far as its file system can,
  /// and makes the size at most that. Below it nothing changes. Unavailable
  /// when there is such memory behind its size while somebody on this machine
  /// has it open for writing or mapped: ask again.
  [[nodiscard]] virtual absl::Status TrimNodeFile(std::string_view /*name*/,
                                                  std::uint64_t /*allocated*/) {
    return NoNodeFiles();
  }
  /// Unlinks it; it lives on for who has it open or mapped. A missing one is
  /// OK.
  [[nodiscard]] virtual absl::Status RemoveNodeFile(std::string_view /*name*/) {
    return absl::OkStatus();
  }
  struct NodeFile {
    std::string name;
    std::uint64_t size = 0;       // bytes
    std::uint64_t allocated = 0;  // bytes of memory that it has, anywhere
    bool operator==(const NodeFile&) const = default;
  };
  /// By name.
  virtual absl::StatusOr<std::vector<NodeFile>> ListNodeFiles() {
    return std::vector<NodeFile>{};
  }
  /// How many bytes it lacks of those that it should have, as a program gave
  /// them back where the machine cannot forbid that; AllocateNodeFile gives
  /// them again. 0 of a sparse device, and where it cannot be told. What it has
  /// beyond `allocated` hides as much: TrimNodeFile first.
  virtual absl::StatusOr<std::uint64_t> NodeFileLacking(
      std::string_view /*name*/, std::uint64_t /*allocated*/) {
    return NoNodeFiles();
  }

 private:
  [[nodiscard]] absl::Status NoNodeFiles() const {
    return Unimplemented("{}: has no node files", spec());
  }
};

/// What every kind asks of a range for CreateExtent: InvalidArgument unless it
/// is a positive number of whole units, OutOfRange beyond the device.
[[nodiscard]] absl::Status CheckExtent(const DaxDevice& device, Range range);

/// Errors name the spec and what to do (NotFound: create it with `famfs mkfs`,
/// or attach the memory; Unavailable: the dax device has another mode).
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenDevice(const DeviceSpec& spec,
                                                      Access access);
/// The same by a text that DeviceSpec::Parse takes: for who has no use for the
/// spec but this one.
absl::StatusOr<std::unique_ptr<DaxDevice>> OpenDevice(std::string_view text,
                                                      Access access);

/// How a device is opened: kOpenDevice, or a test's own.
using DeviceOpener = std::function<absl::StatusOr<std::unique_ptr<DaxDevice>>(
    const DeviceSpec& spec, Access access)>;
inline constexpr auto kOpenDevice = [](const DeviceSpec& spec, Access access) {
  return OpenDevice(spec, access);
};

}  // namespace famfs
