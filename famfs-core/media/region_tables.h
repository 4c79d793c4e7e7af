// The tables of our region (docs/format.md "Our region"): who wrote last, which
// hosts read, which space is promised and which free space is zero. Bytes <->
// structs; instance/ has the rules on when they are written.
//
//   owner          2 lines: an alternating pair, written by a take-over alone
//   host table     128 rows of an alternating pair each, one a server session,
//                  written by that session alone (but for an eviction)
//   reservations   2,048 lines, each on its own
//   clean ranges   4,096 lines, each on its own
//
// A line on its own is made live, and cleared, by the store of its first 8
// bytes (magic and checksum); a crash leaves it absent or whole.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/status.h"
#include "base/uuid.h"
#include "media/format.h"
#include "media/region.h"

namespace famfs {

// Places in the region, in bytes, and sizes in rows.
inline constexpr std::size_t kOwnerAt = 256;
/// Words of 32 bits by which processes of one machine wake each other: one for
/// all requests in a line of its own, and one a row for its answers. They mean
/// nothing on the medium, and are neither written back nor checked.
inline constexpr std::size_t kRequestBellAt = 0x180;
inline constexpr std::size_t kAnswerBellsAt = 0x200;
inline constexpr std::size_t kHostsAt = 0x1000;
inline constexpr std::size_t kHostRows = 128;
inline constexpr std::size_t kReservationsAt = 0x10000;
inline constexpr std::size_t kReservationRows = 2048;
inline constexpr std::size_t kCleanAt = 0x40000;
inline constexpr std::size_t kCleanRows = 4096;
static_assert(kOwnerAt + 2 * kLineSize <= kRequestBellAt);
static_assert(kRequestBellAt + kLineSize <= kAnswerBellsAt);
static_assert(kAnswerBellsAt + kHostRows * sizeof(std::uint32_t) <= kHostsAt);
static_assert(kHostsAt + kHostRows * 2 * kLineSize <= kReservationsAt);
static_assert(kReservationsAt + kReservationRows * kLineSize <= kCleanAt);
static_assert(kCleanAt + kCleanRows * kLineSize <= kRegionSize);

/// Who took the file system over last. The state record has the epoch, too, but
/// every change of state rewrites that one; a writer that was overtaken could
/// put its own epoch back and believe itself. This one it never touches.
struct OwnerRecord {
  std::uint64_t sequence = 0;
  std::uint64_t epoch = 0;
  Uuid host;                // system uuid
  std::uint64_t nonce = 0;  // tells two take-overs of one epoch apart
  bool operator==(const OwnerRecord&) const = default;
};

enum class HostState : std::uint8_t {
  kLive = 1,
  kEvicted = 2,  // by the owner: its mappings count no longer
  kClosed = 3,   // it unmounted: the row is free
};

/// One server session of a reading host.
struct HostRecord {
  std::uint32_t sequence = 0;
  std::uint32_t session = 0;       // random, tells servers of one boot apart
  Uuid host;                       // system uuid
  std::uint64_t boot = 0;          // the first 8 bytes of the boot id
  std::uint64_t acknowledged = 0;  // highest deletion number let go of
  std::uint32_t connection = 0;    // FUSE's, 24 bits; 0: not known
  HostState state = HostState::kLive;
  // Nothing touches the memory for this session but its process, which has the
  // mark kServing with the session's number (dax/use_mark.h) while it lives.
  bool marked = false;
  bool operator==(const HostRecord&) const = default;
};

/// Promised space that no entry names yet.
struct ReservationRecord {
  MediaExtent extent;
  Uuid holder;              // system uuid of the host
  std::uint64_t epoch = 0;  // of the writer that promised it
  bool operator==(const ReservationRecord&) const = default;
};

/// Bytes of the device that are zero and that no live file has.
struct CleanRecord {
  MediaExtent extent;
  bool operator==(const CleanRecord&) const = default;
};

Line EncodeOwner(const OwnerRecord& record, const Uuid& fs_uuid);
Line EncodeHost(const HostRecord& record, const Uuid& fs_uuid);
Line EncodeReservation(const ReservationRecord& record, const Uuid& fs_uuid);
Line EncodeClean(const CleanRecord& record, const Uuid& fs_uuid);

// Pairs, 128 bytes: as DecodeState. Single lines, 64 bytes: nullopt when
// absent, DataLoss when damaged or when the fields are none (an extent that is
// empty or not of whole units, a host's state that does not exist).
absl::StatusOr<std::optional<OwnerRecord>> DecodeOwner(
    std::span<const std::byte> copies, const Uuid& fs_uuid);
absl::StatusOr<std::optional<HostRecord>> DecodeHost(
    std::span<const std::byte> copies, const Uuid& fs_uuid);
absl::StatusOr<std::optional<ReservationRecord>> DecodeReservation(
    std::span<const std::byte> line, const Uuid& fs_uuid);
absl::StatusOr<std::optional<CleanRecord>> DecodeClean(
    std::span<const std::byte> line, const Uuid& fs_uuid);

/// Offset in the region of a host's pair.
constexpr std::size_t HostAt(std::size_t row) {
  return kHostsAt + row * 2 * kLineSize;
}
/// Offset in the region of the word that is rung when a row is answered.
constexpr std::size_t AnswerBellAt(std::size_t row) {
  return kAnswerBellsAt + row * sizeof(std::uint32_t);
}

}  // namespace famfs
