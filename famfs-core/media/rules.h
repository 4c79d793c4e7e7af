// The rules of the format that can be checked on one structure alone: magic,
// version, checksum, bounds, path shape, extents' alignment. What needs the
// entries before it (parents, duplicates, overlaps) is instance/log_player.h's.
//
// Messages name the field and its value; callers add where it lies. Nothing here
// trusts a count or an offset before it has checked it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "media/format.h"

namespace famfs {

/// DataLoss on a bad checksum or field; FailedPrecondition "no famfs" when the
/// magic is not there at all (a blank or foreign device), or for another version.
[[nodiscard]] absl::Status CheckSuperblock(const MediaSuperblock& superblock,
                                           std::uint64_t device_size);

/// `log_length`: the superblock's. Unavailable for the compacting form
/// (length 0, no entries, valid checksum), DataLoss otherwise.
[[nodiscard]] absl::Status CheckLogHeader(const MediaLogHeader& header,
                                          std::uint64_t log_length);

/// Checksum, seqnum == index, type, path and, of a file, size, flags, counts,
/// alignment and bounds of each extent on device 0 (`device_size` bytes; data
/// starts at `data_start`), coverage of the size, no overlap within the entry.
/// Other device indexes are only checked for alignment.
[[nodiscard]] absl::Status CheckEntry(const MediaEntry& entry,
                                      std::uint64_t index,
                                      std::uint64_t data_start,
                                      std::uint64_t device_size);

/// Relative, 1..78 bytes, no empty, "." or ".." component, no NUL or control
/// character.
[[nodiscard]] absl::Status CheckPath(std::string_view path);

}  // namespace famfs
