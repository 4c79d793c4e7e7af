// Our region: [1 MiB, 2 MiB) of the superblock region, which upstream never
// touches (docs/format.md "Our region"). Every record is one 64-byte
// line with the file system's uuid tag and a CRC; another uuid means absent.
//
// Two lines hold state, two the compaction record; each pair alternates and the
// newest valid line wins. Magic without a valid copy is corruption. The tables
// behind them: media/region_tables.h. The mailboxes behind those:
// media/mailbox_lines.h.
//
// A line is absent when it lacks the record's magic, or when its checksum fits
// and its tag is another file system's (an earlier life of the device). It is
// damaged when the magic stands there and the checksum does not fit, whatever
// the tag says: the tag may be what is damaged. It is also damaged when its
// sequence belongs into the other slot of the pair.
//
// Magic and checksum are the line's first 8 bytes. A writer stores zero there,
// then bytes [8, 64), then the first 8 bytes by one store; stores to one cache
// line reach the medium in order, so a line torn by a crash is absent, never
// damaged, and a torn first set-up can be done again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/status.h"
#include "base/uuid.h"

namespace famfs {

inline constexpr std::uint64_t kRegionOffset = 1ULL << 20;  // on the device
inline constexpr std::uint64_t kRegionSize = 1ULL << 20;    // bytes
inline constexpr std::size_t kLineSize = 64;                // bytes
inline constexpr std::size_t kStateAt = 0;         // 2 lines, in the region
inline constexpr std::size_t kCompactionAt = 128;  // 2 lines, in the region

using Line = std::array<std::byte, kLineSize>;

/// One per instance: who writes and how often the log was compacted.
struct StateRecord {
  std::uint64_t sequence = 0;    // of the alternating copies
  std::uint64_t generation = 0;  // compactions so far
  std::uint64_t writer_epoch = 0;
  Uuid writer_host;  // system uuid of the host that took this epoch
  std::uint64_t last_deletion = 0;  // last deletion number given out
  bool operator==(const StateRecord&) const = default;
};

/// A compaction under way; length 0: none.
struct CompactionRecord {
  std::uint64_t sequence = 0;
  std::uint64_t generation = 0;  // the one that the image will be
  std::uint64_t offset = 0;      // bytes, of the new log's image on the device
  std::uint64_t length = 0;      // bytes, of the image: header and entries
  std::uint64_t image_crc = 0;
  bool operator==(const CompactionRecord&) const = default;
};

Line EncodeState(const StateRecord& record, const Uuid& fs_uuid);
Line EncodeCompaction(const CompactionRecord& record, const Uuid& fs_uuid);

/// The newest valid of two copies; nullopt when both lines are absent (blank or
/// of another file system); DataLoss when our magic stands there and no copy is
/// valid. `copies`: 128 bytes.
absl::StatusOr<std::optional<StateRecord>> DecodeState(
    std::span<const std::byte> copies, const Uuid& fs_uuid);
absl::StatusOr<std::optional<CompactionRecord>> DecodeCompaction(
    std::span<const std::byte> copies, const Uuid& fs_uuid);

/// Offset in the region of the copy that the record with `sequence` goes to.
constexpr std::size_t CopyAt(std::size_t pair_at, std::uint64_t sequence) {
  return pair_at + (sequence % 2) * kLineSize;
}

}  // namespace famfs
