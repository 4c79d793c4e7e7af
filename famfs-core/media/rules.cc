#include "media/rules.h"

#include <absl/strings/cord.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "base/text.h"
#include "media/checksum.h"

namespace famfs {
namespace {

/// No file size or extent end may pass this: off_t is signed.
constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();

// Under which a status bears the name of the rule.
constexpr char kRulePayload[] = "famfs.rule";

/// DataLoss of an entry, which bears the name of the rule that it breaks.
template <typename... Args>
absl::Status Breaks(const char* rule, fmt::format_string<Args...> format,
                    Args&&... args) {
  absl::Status status = DataLoss(format, std::forward<Args>(args)...);
  status.SetPayload(kRulePayload, absl::Cord(rule));
  return status;
}

struct Bounds {
  std::uint64_t data_start;   // bytes
  std::uint64_t device_size;  // bytes, of device 0
};

/// Whether [offset, offset + length) is a piece of `bounds` in whole units.
bool IsGood(const MediaExtent& extent, const Bounds& bounds) {
  const auto [device, offset, length] = extent;
  if (length == 0 || (offset | length) % kAllocUnit != 0 ||
      offset > kMaxOffset || length > kMaxOffset - offset) {
    return false;
  }
  return device != 0 ||
         (offset >= bounds.data_start && offset <= bounds.device_size &&
          length <= bounds.device_size - offset);
}

/// Why it is not. `what` names the extent ("extent 3").
absl::Status JudgeExtent(const MediaExtent& extent, const Bounds& bounds,
                         std::string_view what) {
  const auto [device, offset, length] = extent;
  if (length == 0) return Breaks("extent", "{} has the length 0", what);
  if (offset % kAllocUnit != 0 || length % kAllocUnit != 0) {
    return Breaks("extent",
                  "{} (offset {:#x}, length {:#x}) is not 2 MiB aligned", what,
                  offset, length);
  }
  if (offset > kMaxOffset || length > kMaxOffset - offset) {
    return Breaks("extent",
                  "{} (offset {:#x}, length {:#x}) ends beyond any device",
                  what, offset, length);
  }
  if (device != 0) return absl::OkStatus();
  if (offset < bounds.data_start) {
    return Breaks(
        "extent",
        "{} (offset {:#x}, length {:#x}) overlaps the superblock or the log, "
        "which end at {:#x}",
        what, offset, length, bounds.data_start);
  }
  if (offset > bounds.device_size || length > bounds.device_size - offset) {
    return Breaks(
        "extent",
        "{} (offset {:#x}, length {:#x}) ends past the device's {} bytes", what,
        offset, length, bounds.device_size);
  }
  return absl::OkStatus();
}

/// Each extent alone, then against those before it. `kind`: "extent", "strip".
absl::Status CheckExtents(std::span<const MediaExtent> extents,
                          const Bounds& bounds, std::string_view kind) {
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const MediaExtent& a = extents[i];
    if (!IsGood(a, bounds)) {
      return JudgeExtent(a, bounds, fmt::format("{} {}", kind, i));
    }
    for (std::size_t j = 0; j < i; ++j) {
      const MediaExtent& b = extents[j];
      if (a.device_index == b.device_index && a.offset < b.offset + b.length &&
          b.offset < a.offset + a.length) {
        return Breaks("overlap",
                      "{} {} (offset {:#x}, length {:#x}) overlaps {} {}", kind,
                      i, a.offset, a.length, kind, j);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSimple(const MediaFile& file, const Bounds& bounds) {
  if (file.extent_count < 1 || file.extent_count > kMaxExtents) {
    return Breaks("extent", "extent_count is {}, not 1 to {}",
                  file.extent_count, kMaxExtents);
  }
  const std::span extents(file.extents, file.extent_count);
  FAMFS_RETURN_IF_ERROR(CheckExtents(extents, bounds, "extent"));
  std::uint64_t uncovered = file.size;
  for (const MediaExtent& extent : extents) {
    uncovered -= std::min(uncovered, extent.length);
  }
  if (uncovered != 0) {
    return Breaks("size", "size is {}, but its extents hold only {} bytes",
                  file.size, file.size - uncovered);
  }
  return absl::OkStatus();
}

/// Bytes of the file that lie on strip `i`; never more than the file's size.
std::uint64_t BytesOnStrip(const MediaFile& file, std::uint64_t i) {
  const std::uint64_t strips = file.interleave.strips_used;
  const std::uint64_t chunk = file.interleave.chunk;
  const std::uint64_t whole = file.size / chunk;
  std::uint64_t bytes = (whole / strips + (i < whole % strips ? 1 : 0)) * chunk;
  if (i == whole % strips) bytes += file.size % chunk;
  return bytes;
}

absl::Status CheckInterleaved(const MediaFile& file, const Bounds& bounds) {
  if (file.extent_count != 1) {
    return Breaks("extent", "extent_count of an interleaved file is {}, not 1",
                  file.extent_count);
  }
  const MediaInterleave& interleave = file.interleave;
  if (interleave.strips_used < 1 || interleave.strips_used > kMaxStrips) {
    return Breaks("extent", "strips_used is {}, not 1 to {}",
                  interleave.strips_used, kMaxStrips);
  }
  if (!std::has_single_bit(interleave.chunk) ||
      interleave.chunk % kAllocUnit != 0) {
    return Breaks("extent",
                  "chunk is {:#x}, not a power of two of at least 2 MiB",
                  interleave.chunk);
  }
  const std::span strips(interleave.strips, interleave.strips_used);
  FAMFS_RETURN_IF_ERROR(CheckExtents(strips, bounds, "strip"));
  for (std::size_t i = 0; i < strips.size(); ++i) {
    if (const std::uint64_t needed = BytesOnStrip(file, i);
        strips[i].length < needed) {
      return Breaks("extent",
                    "strip {} holds {} bytes, but size {} needs {} there", i,
                    strips[i].length, file.size, needed);
    }
  }
  return absl::OkStatus();
}

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// One walk over the bytes; JudgePath finds the words for what it refuses.
bool IsGoodPath(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathLength) return false;
  std::size_t start = 0;  // of the component
  for (std::size_t i = 0; i <= path.size(); ++i) {
    const char c = i < path.size() ? path[i] : '/';
    if (c != '/') {
      if (IsControl(c)) return false;
      continue;
    }
    const std::size_t length = i - start;
    if (length == 0) return false;
    if (length <= 2 && path[start] == '.' && path[i - 1] == '.') return false;
    start = i + 1;
  }
  return true;
}

absl::Status JudgePath(std::string_view path) {
  if (path.empty()) return InvalidArgument("the path is empty");
  if (path.size() > kMaxPathLength) {
    return InvalidArgument("path '{}' is longer than {} bytes", Printable(path),
                           kMaxPathLength);
  }
  if (path.front() == '/') {
    return InvalidArgument("path '{}' is absolute; it must be relative",
                           Printable(path));
  }
  if (std::any_of(path.begin(), path.end(), IsControl)) {
    return InvalidArgument("path '{}' contains a control character",
                           Printable(path));
  }
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view component = path.substr(start, end - start);
    if (component.empty() || component == "." || component == "..") {
      return InvalidArgument("path '{}' has the component '{}'",
                             Printable(path), component);
    }
    start = end + 1;
  }
  return absl::OkStatus();
}

absl::Status CheckPathField(const char (&field)[kPathField]) {
  static constexpr char kZeros[kPathField] = {};
  const std::string_view path = PathFromField(field);
  if (std::memcmp(field + path.size(), kZeros, kPathField - path.size()) != 0) {
    return Breaks("path", "path '{}' has bytes after its end", Printable(path));
  }
  if (const absl::Status status = CheckPath(path); !status.ok()) {
    return Breaks("path", "{}", Message(status));
  }
  return absl::OkStatus();
}

absl::Status CheckMode(std::uint32_t mode) {
  if ((mode & ~07777U) != 0) {
    return Breaks("mode", "mode is {:#o}: more than permission bits", mode);
  }
  return absl::OkStatus();
}

absl::Status CheckFile(const MediaFile& file, const Bounds& bounds) {
  FAMFS_RETURN_IF_ERROR(CheckPathField(file.path));
  if (file.size == 0 || file.size > kMaxOffset) {
    return Breaks("size", "size is {}, not 1 to {}", file.size, kMaxOffset);
  }
  if ((file.flags & ~3U) != 0) {
    return Breaks("flags", "flags are {:#x}; only bits 0 and 1 are known",
                  file.flags);
  }
  FAMFS_RETURN_IF_ERROR(CheckMode(file.mode));
  switch (static_cast<ExtentType>(file.extent_type)) {
    case ExtentType::kSimple:
      return CheckSimple(file, bounds);
    case ExtentType::kInterleaved:
      return CheckInterleaved(file, bounds);
  }
  return Breaks("extent",
                "extent_type is {}, not 0 (simple) or 1 (interleaved)",
                file.extent_type);
}

absl::Status CheckMkdir(const MediaMkdir& mkdir) {
  FAMFS_RETURN_IF_ERROR(CheckPathField(mkdir.path));
  return CheckMode(mkdir.mode);
}

absl::Status CheckAddDaxdev(const MediaAddDaxdev& device) {
  if (device.index == 0) {
    return Breaks("device",
                  "device index 0 is the primary's, which no entry adds");
  }
  if (device.size == 0) {
    return Breaks("device", "device {} has the size 0", device.index);
  }
  return absl::OkStatus();
}

}  // namespace

namespace {

/// What both kinds of superblock share: magic, version, checksum, unit.
absl::Status CheckSuperblockHead(const MediaSuperblock& superblock) {
  if (superblock.magic != kSuperblockMagic) {
    return FailedPrecondition(
        "no famfs: the superblock's magic is {:#x}, not {:#x}; run famfs mkfs "
        "on an empty device",
        superblock.magic, kSuperblockMagic);
  }
  if (superblock.version != kSuperblockVersion) {
    return FailedPrecondition(
        "no famfs of this format: the superblock's version is {}, not {}",
        superblock.version, kSuperblockVersion);
  }
  if (const std::uint64_t crc = ChecksumOf(superblock); crc != superblock.crc) {
    return DataLoss("superblock: crc is {:#x}, but its bytes give {:#x}",
                    superblock.crc, crc);
  }
  if (superblock.omf_major != kOmfMajor) {
    return FailedPrecondition(
        "no famfs of this format: OMF version {}.{}, not {}.x",
        superblock.omf_major, superblock.omf_minor, kOmfMajor);
  }
  if (superblock.alloc_unit == 4096) {
    return Unimplemented(
        "superblock: alloc_unit 4096 is not supported, only {}", kAllocUnit);
  }
  if (superblock.alloc_unit != kAllocUnit) {
    return DataLoss("superblock: alloc_unit is {}, not {}",
                    superblock.alloc_unit, kAllocUnit);
  }
  return absl::OkStatus();
}

bool HasNoLog(const MediaSuperblock& superblock) {
  return superblock.log_offset == 0 && superblock.log_length == 0;
}

}  // namespace

absl::Status CheckSecondarySuperblock(const MediaSuperblock& superblock,
                                      std::uint64_t device_size) {
  FAMFS_RETURN_IF_ERROR(CheckSuperblockHead(superblock));
  if (!HasNoLog(superblock)) {
    return FailedPrecondition(
        "no secondary device: the superblock has a log of {} bytes",
        superblock.log_length);
  }
  if (superblock.device_size > device_size) {
    return FailedPrecondition(
        "superblock: device_size is {}, but the device has only {} bytes",
        superblock.device_size, device_size);
  }
  return absl::OkStatus();
}

bool TellsWhereTheLogLies(const MediaSuperblock& superblock,
                          std::uint64_t device_size) {
  const std::uint64_t size = std::min(superblock.device_size, device_size);
  return superblock.magic == kSuperblockMagic &&
         superblock.version == kSuperblockVersion &&
         superblock.log_offset == kLogOffset &&
         std::has_single_bit(superblock.log_length) &&
         superblock.log_length >= kMinLogLength &&
         superblock.alloc_unit == kAllocUnit && size >= kLogOffset &&
         superblock.log_length <= size - kLogOffset;
}

absl::Status CheckSuperblock(const MediaSuperblock& superblock,
                             std::uint64_t device_size) {
  FAMFS_RETURN_IF_ERROR(CheckSuperblockHead(superblock));
  if (HasNoLog(superblock)) {
    return FailedPrecondition(
        "no famfs of its own: the device is a secondary one (uuid {}) of the "
        "famfs {}; open that by its primary device",
        superblock.device_uuid.ToString(), superblock.fs_uuid.ToString());
  }
  if (superblock.device_size < kMinDeviceSize) {
    return DataLoss("superblock: device_size is {}, less than the minimum {}",
                    superblock.device_size, kMinDeviceSize);
  }
  if (superblock.device_size > device_size) {
    return DataLoss(
        "superblock: device_size is {}, but the device has only {} bytes",
        superblock.device_size, device_size);
  }
  if (superblock.log_offset != kLogOffset) {
    return DataLoss("superblock: log_offset is {:#x}, not {:#x}",
                    superblock.log_offset, kLogOffset);
  }
  const std::uint64_t log_length = superblock.log_length;
  if (!std::has_single_bit(log_length) || log_length < kMinLogLength) {
    return DataLoss(
        "superblock: log_length is {}, not a power of two of at least {}",
        log_length, kMinLogLength);
  }
  if (log_length > superblock.device_size - kLogOffset) {
    return DataLoss("superblock: a log of {} bytes does not fit a device of {}",
                    log_length, superblock.device_size);
  }
  return absl::OkStatus();
}

absl::Status CheckLogHeader(const MediaLogHeader& header,
                            std::uint64_t log_length) {
  if (header.magic != kLogMagic) {
    return DataLoss("log header: magic is {:#x}, not {:#x}", header.magic,
                    kLogMagic);
  }
  if (const std::uint64_t crc = ChecksumOf(header); crc != header.crc) {
    return DataLoss("log header: crc is {:#x}, but its bytes give {:#x}",
                    header.crc, crc);
  }
  if (header.length == 0) {
    return Unavailable(
        "log header: the log is being compacted; the next open by its owner "
        "finishes that");
  }
  if (header.length != log_length) {
    return DataLoss("log header: length is {}, but the superblock says {}",
                    header.length, log_length);
  }
  if (header.last_index != LastIndex(log_length)) {
    return DataLoss("log header: last_index is {}, not {} as for {} bytes",
                    header.last_index, LastIndex(log_length), log_length);
  }
  if (header.next_index > header.last_index + 1) {
    return DataLoss("log header: next_index is {}, but the log has {} slots",
                    header.next_index, header.last_index + 1);
  }
  if (header.next_seqnum != header.next_index &&
      header.next_seqnum != header.next_index + 1) {
    return DataLoss("log header: next_seqnum is {}, but next_index is {}",
                    header.next_seqnum, header.next_index);
  }
  return absl::OkStatus();
}

bool IsBlank(const MediaEntry& entry) {
  const MediaEntry blank{};
  return std::memcmp(&entry, &blank, sizeof(blank)) == 0;
}

absl::Status CheckEntry(const MediaEntry& entry, std::uint64_t index,
                        std::uint64_t data_start, std::uint64_t device_size) {
  if (const std::uint64_t crc = ChecksumOf(entry); crc != entry.crc) {
    return Breaks("crc", "crc is {:#x}, but its bytes give {:#x}", entry.crc,
                  crc);
  }
  if (entry.seqnum != index) {
    return Breaks("seqnum", "seqnum is {}, but it lies at index {}",
                  entry.seqnum, index);
  }
  return CheckIntactEntry(entry, data_start, device_size);
}

absl::Status CheckIntactEntry(const MediaEntry& entry, std::uint64_t data_start,
                              std::uint64_t device_size) {
  switch (static_cast<EntryType>(entry.type)) {
    case EntryType::kFile:
      return CheckFile(entry.file, {data_start, device_size});
    case EntryType::kMkdir:
      return CheckMkdir(entry.mkdir);
    case EntryType::kAddDaxdev:
      return CheckAddDaxdev(entry.add_daxdev);
    case EntryType::kDelete:
    case EntryType::kInvalid:
      break;
  }
  return Breaks("type", "type is {}, not 0 (file), 1 (mkdir) or 3 (add_daxdev)",
                entry.type);
}

std::string RuleOf(const absl::Status& status) {
  const auto rule = status.GetPayload(kRulePayload);
  return rule ? std::string(*rule) : std::string();
}

absl::Status CheckPath(std::string_view path) {
  return IsGoodPath(path) ? absl::OkStatus() : JudgePath(path);
}

}  // namespace famfs
