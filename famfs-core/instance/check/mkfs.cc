#include "instance/check/mkfs.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "instance/check/log_length.h"
#include "instance/deletion/in_use.h"
#include "instance/devices/metadata_store.h"
#include "instance/devices/unfinished.h"
#include "instance/log/layout.h"
#include "instance/writer/writer_lock.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

std::uint64_t LogLengthOf(const DaxDevice& device, const MkfsOptions& options) {
  return options.log_length.value_or(
      DefaultLogLength(device.size(), options.further_bytes));
}

absl::Status CheckOptions(const DaxDevice& device, const MkfsOptions& options) {
  const std::uint64_t log = LogLengthOf(device, options);
  if (log < kMinLogLength || !std::has_single_bit(log)) {
    return InvalidArgument(
        "log length {} is not a power of two of at least 8 MiB", log);
  }
  if (device.size() < kMinDeviceSize) {
    return OutOfRange("{}: has {}; famfs needs at least {}", device.spec(),
                      FormatSize(device.size()), FormatSize(kMinDeviceSize));
  }
  if (log > device.size() / kLogShare) {
    return OutOfRange("{}: a log of {} is too long for a device of {}",
                      device.spec(), FormatSize(log),
                      FormatSize(device.size()));
  }
  if (options.system_uuid.is_nil()) {
    return InvalidArgument("mkfs needs the owner's system uuid; it is nil");
  }
  if (options.fs_uuid && options.fs_uuid->is_nil()) {
    return InvalidArgument("an instance needs a uuid; it is nil");
  }
  if (!device.tag().is_nil() && options.device_uuid &&
      *options.device_uuid != device.tag()) {
    return InvalidArgument(
        "{}: has the tag {}, by which it is known; the device uuid {} would "
        "contradict it",
        device.spec(), device.tag().ToString(),
        options.device_uuid->ToString());
  }
  return absl::OkStatus();
}

/// What stands at offset 0; all zero when nothing is allocated there.
absl::StatusOr<MediaSuperblock> LoadOldSuperblock(DaxDevice& device) {
  MediaSuperblock old;
  const auto head =
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead);
  // A file of another length, or no regular file, is none of a famfs.
  if (absl::IsNotFound(head.status()) || absl::IsOutOfRange(head.status()) ||
      absl::IsDataLoss(head.status())) {
    return old;
  }
  if (!head.ok()) return head.status();
  (*head)->Invalidate(0, sizeof(old));
  std::memcpy(static_cast<void*>(&old), (*head)->data(), sizeof(old));
  FAMFS_RETURN_IF_ERROR((*head)->Check());
  return old;
}

absl::Status CheckOld(DaxDevice& device, const MediaSuperblock& old,
                      const std::vector<Range>& data_extents,
                      const std::vector<DaxDevice::NodeFile>& nodes) {
  if (old.magic == kSuperblockMagic) {
    return AlreadyExists(
        "{}: already holds the famfs {} (version {}) of host {}; use --force "
        "to replace it and lose its files",
        device.spec(), old.fs_uuid.ToString(), old.version,
        old.system_uuid.ToString());
  }
  FAMFS_ASSIGN_OR_RETURN(const bool unfinished, IsMarkedUnfinished(device));
  if (unfinished) return absl::OkStatus();
  if (LogLengthByItsHeader(device) != 0) {
    return AlreadyExists(
        "{0}: has a damaged superblock (its magic is {1:#x}) before the log of "
        "a famfs; `famfs cp -r --salvage {0} : DIR` copies out what is whole, "
        "--force gives it up",
        device.spec(), old.magic);
  }
  if (!data_extents.empty()) {
    return AlreadyExists(
        "{}: has no superblock, but {} allocated extents, the first at {:#x}; "
        "use --force to remove them",
        device.spec(), data_extents.size(), data_extents.front().offset);
  }
  if (!nodes.empty()) {
    return AlreadyExists(
        "{}: has no superblock, but {} files of an earlier famfs, the first "
        "\"{}\"; use --force to remove them",
        device.spec(), nodes.size(), Printable(nodes.front().name));
  }
  return absl::OkStatus();
}

/// Whether the bytes there name a famfs, also one that cannot be opened: of
/// another version, damaged, or a further device's.
bool NamesAFamfs(const MediaSuperblock& old) {
  return old.magic == kSuperblockMagic && !old.fs_uuid.is_nil();
}

absl::Status CheckNewUuid(const DaxDevice& device, const MediaSuperblock& old,
                          const MkfsOptions& options) {
  if (!NamesAFamfs(old) || options.fs_uuid != old.fs_uuid) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      "{}: already holds a famfs with the uuid {}; a new one needs another, "
      "or servers of the old one would take it for theirs",
      device.spec(), old.fs_uuid.ToString());
}

/// From here on the device is no famfs, for us and for upstream, and a second
/// attempt needs no force.
absl::Status Invalidate(DaxDevice& device) {
  FAMFS_ASSIGN_OR_RETURN(
      const auto head,
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kReadWrite));
  head->Store(0, std::as_bytes(std::span(&kUnfinishedMagic, 1)));
  head->WriteBack(0, sizeof(kUnfinishedMagic));
  return head->Check();
}

/// An extent file of exactly this range: kept when it is there, else made.
absl::Status EnsureExtent(DaxDevice& device, const std::vector<Range>& present,
                          Range range) {
  if (std::find(present.begin(), present.end(), range) != present.end()) {
    return absl::OkStatus();
  }
  FAMFS_RETURN_IF_ERROR(device.RemoveExtent(range.offset));
  return device.CreateExtent(range);
}

MediaSuperblock MakeSuperblock(const DaxDevice& device,
                               const MkfsOptions& options) {
  const Uuid device_uuid =
      device.tag().is_nil() ? Uuid::Random() : device.tag();
  MediaSuperblock super{
      .magic = kSuperblockMagic,
      .version = kSuperblockVersion,
      .log_offset = kLogOffset,
      .log_length = LogLengthOf(device, options),
      .alloc_unit = kAllocUnit,
      .omf_major = kOmfMajor,
      .omf_minor = kOmfMinor,
      .fs_uuid = options.fs_uuid ? *options.fs_uuid : Uuid::Random(),
      .device_uuid = options.device_uuid.value_or(device_uuid),
      .system_uuid = options.system_uuid,
      .device_size = device.size(),
      .device_entry_uuid = {},
  };
  const std::string name = options.device_name.value_or(device.spec());
  std::memcpy(super.device_name, name.data(),
              std::min(name.size(), sizeof(super.device_name) - 1));
  Seal(super);
  return super;
}

absl::Status Write(DaxDevice& device, const MediaSuperblock& super) {
  FAMFS_ASSIGN_OR_RETURN(
      const auto head,
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kReadWrite));
  FAMFS_ASSIGN_OR_RETURN(
      const auto log,
      device.Map(kLogOffset, super.log_length, Access::kReadWrite));
  ZeroDirty(*head, kLineSize, head->size() - kLineSize);
  ZeroDirty(*log, 0, log->size());
  StoreLogHeader(*log, super.log_length, 0);
  StoreState(*head,
             StateRecord{.writer_epoch = 1, .writer_host = super.system_uuid},
             super.fs_uuid);
  // The magic is the last store; until then the mark stands in its place.
  FAMFS_RETURN_IF_ERROR(log->Check());
  MediaSuperblock unfinished = super;
  unfinished.magic = kUnfinishedMagic;
  head->Store(0, std::as_bytes(std::span(&unfinished, 1)));
  head->WriteBack(0, sizeof(unfinished));
  head->Store(0, std::as_bytes(std::span(&super.magic, 1)));
  head->WriteBack(0, sizeof(super.magic));
  return head->Check();
}

}  // namespace

absl::Status Mkfs(DaxDevice& device, const MkfsOptions& options) {
  FAMFS_RETURN_IF_ERROR(CheckOptions(device, options));
  UseMark claim;
  if (!options.claimed) {
    FAMFS_ASSIGN_OR_RETURN(claim, ClaimToMake(device));
  }
  FAMFS_ASSIGN_OR_RETURN(const MediaSuperblock old, LoadOldSuperblock(device));
  const Range head{kSuperblockOffset, kSuperblockRegion};
  const Range log{kLogOffset, LogLengthOf(device, options)};
  std::vector<Range> present;
  std::vector<Range> data_extents;
  if (device.capabilities().allocates_extents) {
    FAMFS_ASSIGN_OR_RETURN(present, device.ListExtents());
    for (const Range& range : present) {
      if (range != head && range.offset != kLogOffset) {
        data_extents.push_back(range);
      }
    }
  }
  FAMFS_ASSIGN_OR_RETURN(const auto nodes, device.ListNodeFiles());
  if (!options.force) {
    FAMFS_RETURN_IF_ERROR(CheckOld(device, old, data_extents, nodes));
  }
  FAMFS_RETURN_IF_ERROR(CheckNewUuid(device, old, options));
  std::optional<WriterLock> lock;
  if (NamesAFamfs(old)) {
    FAMFS_ASSIGN_OR_RETURN(
        lock, WriterLock::Acquire(options.lock_directory, old.fs_uuid));
  }
  // Whatever stands there, and also where nothing can be made out any more:
  // what a damaged superblock leads to may be mapped by many.
  if (options.force && !options.force_in_use) {
    FAMFS_RETURN_IF_ERROR(CheckUnused(device, options.self));
  }
  if (device.capabilities().allocates_extents) {
    FAMFS_RETURN_IF_ERROR(device.CleanUp());
    FAMFS_RETURN_IF_ERROR(EnsureExtent(device, present, head));
    FAMFS_RETURN_IF_ERROR(Invalidate(device));
    for (const Range& range : data_extents) {
      FAMFS_RETURN_IF_ERROR(device.RemoveExtent(range.offset));
    }
    for (const DaxDevice::NodeFile& node : nodes) {
      FAMFS_RETURN_IF_ERROR(device.RemoveNodeFile(node.name));
    }
    FAMFS_RETURN_IF_ERROR(EnsureExtent(device, present, log));
  } else {
    FAMFS_RETURN_IF_ERROR(Invalidate(device));
  }
  // Later stores of a writer go there, too, and must not meet a full file
  // system by a signal.
  FAMFS_RETURN_IF_ERROR(device.Allocate(head));
  FAMFS_RETURN_IF_ERROR(device.Allocate(log));
  return Write(device, MakeSuperblock(device, options));
}

}  // namespace famfs
