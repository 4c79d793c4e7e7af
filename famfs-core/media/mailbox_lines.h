// The mailboxes of our region (docs/format.md "Mailbox"): how a host asks the
// owner for a change, and is answered, through the memory alone. Bytes <->
// messages; who writes when is not decided here.
//
// Each row of the host table has 4 KiB: the host's request in the first half,
// written by that session alone, the owner's answer in the second, written by
// the owner alone. What a message says: media/tree_request.h.
//
// A message lies in lines that all bear its session and number. The head line,
// the first one, tells how many there are and the sum over all bytes; it is
// written last, and a message counts when all its lines are there. While it is
// written the lines of two messages, or of two writings of one, stand side by
// side, or a line is caught half-way: that is absent, not damaged, and the next
// look finds it whole. A checksum that does not fit therefore means absent,
// too, unlike elsewhere in the region: nothing tells it from a line under way.
// Who waits writes again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "media/node_record.h"
#include "media/region.h"
#include "media/region_tables.h"

namespace famfs {

// Places in the region and sizes, in bytes.
inline constexpr std::size_t kMailboxAt = 0x80000;
inline constexpr std::size_t kMailboxHalf = 2048;
inline constexpr std::size_t kMailboxRow = 2 * kMailboxHalf;
static_assert(kCleanAt + kCleanRows * kLineSize <= kMailboxAt);
static_assert(kMailboxAt + kHostRows * kMailboxRow == kRegionSize);

enum class MailboxSide : std::uint8_t { kRequest = 1, kAnswer = 2 };

/// Offset in the region of one half of a row's mailbox.
constexpr std::size_t MailboxAt(std::size_t row, MailboxSide side) {
  return kMailboxAt + row * kMailboxRow +
         (side == MailboxSide::kAnswer ? kMailboxHalf : 0);
}
/// Offset in the region of a row's pair of done records: its last two lines.
constexpr std::size_t DoneAt(std::size_t row) {
  return kMailboxAt + (row + 1) * kMailboxRow - 2 * kLineSize;
}

inline constexpr std::size_t kMailboxPayload = 32;  // bytes in each line, of
inline constexpr std::size_t kMailboxPrefix = 8;    // which the head's begin so

/// A request leaves the last line of its half free, an answer the done records.
constexpr std::size_t MaxMailboxLines(MailboxSide side) {
  return kMailboxHalf / kLineSize - (side == MailboxSide::kAnswer ? 2 : 1);
}
/// Bytes of the longest message.
constexpr std::size_t MailboxCapacity(MailboxSide side) {
  return MaxMailboxLines(side) * kMailboxPayload - kMailboxPrefix;
}
/// Lines that a message of `bytes` takes.
constexpr std::size_t MailboxLines(std::size_t bytes) {
  return (kMailboxPrefix + bytes + kMailboxPayload - 1) / kMailboxPayload;
}

/// What the head line tells, for who looks at one line of many mailboxes.
struct MailboxHead {
  std::uint32_t session = 0;
  std::uint64_t number = 0;
  std::uint32_t lines = 0;  // of the message, this one included
  bool operator==(const MailboxHead&) const = default;
};

struct MailboxMessage {
  std::uint32_t session = 0;  // of the host that asks, also in the answer
  std::uint64_t number = 0;   // only grows
  std::vector<std::byte> bytes;
  bool operator==(const MailboxMessage&) const = default;
};

/// Up to where a row's requests are done: an alternating pair, as the state.
struct DoneRecord {
  std::uint64_t sequence = 0;
  std::uint32_t session = 0;
  std::uint64_t number = 0;   // the highest one done
  std::int32_t status = 0;    // how that one ended: errno; 0: done
  std::uint64_t epoch = 0;    // of the owner that did it
  TreeId node = kVolumeRoot;  // that was made or changed, for its answer
  bool operator==(const DoneRecord&) const = default;
};

/// The lines in the order of their index: they are to be written from the last
/// to the first. Empty when the message is longer than MailboxCapacity.
std::vector<Line> EncodeMailboxMessage(MailboxSide side, std::uint32_t session,
                                       std::uint64_t number,
                                       std::span<const std::byte> message,
                                       const Uuid& fs_uuid);

/// Of the first line of a half, 64 bytes: nullopt when absent; DataLoss for
/// lengths that cannot be.
absl::StatusOr<std::optional<MailboxHead>> DecodeMailboxHead(
    std::span<const std::byte> line, MailboxSide side, const Uuid& fs_uuid);

/// `row_half`: 2,048 bytes, of which as many lines are looked at as the head
/// tells. nullopt when absent: no magic of that side, another file system's
/// tag, a line that is damaged, of another message or of another writing (the
/// sum over the message tells). DataLoss for what no order of writes explains:
/// a head's lengths that cannot be, a line in another's place, bytes behind its
/// length.
absl::StatusOr<std::optional<MailboxMessage>> DecodeMailboxMessage(
    std::span<const std::byte> row_half, MailboxSide side, const Uuid& fs_uuid);

Line EncodeDone(const DoneRecord& record, const Uuid& fs_uuid);
/// `copies`: 128 bytes; as DecodeState, and DataLoss for a status that is no
/// errno.
absl::StatusOr<std::optional<DoneRecord>> DecodeDone(
    std::span<const std::byte> copies, const Uuid& fs_uuid);

}  // namespace famfs
