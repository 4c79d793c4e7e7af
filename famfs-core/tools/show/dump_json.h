// The structures on the medium as JSON, with every field: numbers in decimal,
// and as text (KEY_hex, KEY_octal) where people read them so. Nothing is left
// out: what a type does not use stands in `unused_hex` and `nonzero`.
//
// Content is not believed: counts are bounded before they are followed, bytes
// that are not UTF-8 are escaped.
#pragma once

#include <cstdint>
#include <span>

#include "media/format.h"
#include "tools/common/context.h"

namespace famfs {

/// The structures of docs/format.md under the short names of its tables, with
/// the stored and the computed checksum (`crc`, `crc_calc`).
Json ToJson(const MediaSuperblock& superblock);
Json ToJson(const MediaLogHeader& header);

/// `index`: the slot where it lies. The fields of its type are in an object
/// named by the type: "file", "mkdir" or "add_daxdev".
Json ToJson(std::uint64_t index, const MediaEntry& entry);

/// Our region: the newest state and compaction records (null when absent,
/// {"problem": ...} when damaged), and each of their lines that is not blank.
/// `region`: what the device holds of [1 MiB, 2 MiB).
Json RegionJson(std::span<const std::byte> region, const Uuid& fs_uuid);

/// Lower-case hexadecimal without the zeros at the end.
std::string TrimmedHex(std::span<const std::byte> bytes);

}  // namespace famfs
