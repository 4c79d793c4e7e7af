// The rules of the format that can be checked on one structure alone: magic,
// version, checksum, bounds, path shape, extents' alignment. What needs the
// entries before it (parents, duplicates, overlaps) is
// instance/log/log_player.h's.
//
// Messages name the field and its value; callers add where it lies. Nothing
// here trusts a count or an offset before it has checked it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "media/format.h"

namespace famfs {

/// DataLoss on a bad checksum or field; FailedPrecondition "no famfs" when the
/// magic is not there at all (a blank or foreign device), or for another
/// version, or for a secondary device's head; Unimplemented for the allocation
/// unit 4096, which upstream's readers accept and nobody writes. The OMF minor
/// version is additive and not checked. The recorded size may be smaller than
/// `device_size`, never larger.
[[nodiscard]] absl::Status CheckSuperblock(const MediaSuperblock& superblock,
                                           std::uint64_t device_size);

/// Whether a superblock that breaks a rule still says, without contradiction,
/// where the log lies: for who looks at what is left of a damaged instance.
[[nodiscard]] bool TellsWhereTheLogLies(const MediaSuperblock& superblock,
                                        std::uint64_t device_size);

/// Whether this is the sound head of a secondary device: a superblock without a
/// log (log_offset and log_length 0), which CheckSuperblock refuses.
/// FailedPrecondition when it is anything else.
[[nodiscard]] absl::Status CheckSecondarySuperblock(
    const MediaSuperblock& superblock, std::uint64_t device_size);

/// `log_length`: the superblock's. Unavailable for the compacting form
/// (length 0, valid checksum; the counters may already be the next ones),
/// DataLoss otherwise. next_seqnum may
/// be one ahead of next_index: upstream counts them up by two stores, and its
/// host may have died between them.
[[nodiscard]] absl::Status CheckLogHeader(const MediaLogHeader& header,
                                          std::uint64_t log_length);

/// Checksum, seqnum == index, type, path and, of a file, size, flags, counts,
/// alignment and bounds of each extent on device 0 (`device_size` bytes; data
/// starts at `data_start`), coverage of the size, no overlap within the entry.
/// Other device indexes are only checked for alignment. DataLoss when a rule is
/// broken. A mkdir entry's extension is DecodeVolumeAttributes' to check.
[[nodiscard]] absl::Status CheckEntry(const MediaEntry& entry,
                                      std::uint64_t index,
                                      std::uint64_t data_start,
                                      std::uint64_t device_size);
/// Whether the slot was never written, or was cleared: all zeros.
[[nodiscard]] bool IsBlank(const MediaEntry& entry);
/// CheckEntry of an entry whose checksum and seqnum the caller has seen right.
[[nodiscard]] absl::Status CheckIntactEntry(const MediaEntry& entry,
                                            std::uint64_t data_start,
                                            std::uint64_t device_size);

/// Of a status of CheckEntry or CheckIntactEntry: the short, stable name of the
/// rule that is broken, such as "crc", "path", "overlap". Empty for any other.
[[nodiscard]] std::string RuleOf(const absl::Status& status);

/// Relative, 1..78 bytes, no empty, "." or ".." component, no NUL or control
/// character. InvalidArgument otherwise.
[[nodiscard]] absl::Status CheckPath(std::string_view path);

}  // namespace famfs
