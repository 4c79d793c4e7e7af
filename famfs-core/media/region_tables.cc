#include "media/region_tables.h"

#include "media/region_lines.h"

namespace famfs {
namespace {

using region::LineHead;
using region::NewestLine;
using region::OneLine;
using region::SealLine;
using region::TagOf;

constexpr std::uint32_t kOwnerMagic = 0x574f4d46;        // "FMOW"
constexpr std::uint32_t kHostMagic = 0x4f484d46;         // "FMHO"
constexpr std::uint32_t kReservationMagic = 0x45524d46;  // "FMRE"
constexpr std::uint32_t kCleanMagic = 0x4c434d46;        // "FMCL"
constexpr std::uint32_t kConnectionBits = 24;
constexpr std::uint32_t kConnectionMask = (1U << kConnectionBits) - 1;
constexpr std::uint32_t kHostMarked = 1;

struct OwnerLine {
  LineHead head;
  std::uint64_t sequence;
  std::uint64_t epoch;
  Uuid host;
  std::uint64_t nonce;
  std::uint64_t reserved;  // zero when written, not looked at
};
static_assert(offsetof(OwnerLine, host) == 32);

struct HostLine {
  LineHead head;
  std::uint32_t sequence;
  std::uint32_t session;
  Uuid host;
  std::uint64_t boot;
  std::uint64_t acknowledged;
  std::uint32_t connection_and_state;  // state in the upper 8 bits
  std::uint32_t flags;                 // others are zero and not looked at
};
static_assert(offsetof(HostLine, flags) == 60);

struct ReservationLine {
  LineHead head;
  MediaExtent extent;
  Uuid holder;
  std::uint64_t epoch;
};
static_assert(offsetof(ReservationLine, epoch) == 56);

struct CleanLine {
  LineHead head;
  MediaExtent extent;
  std::uint64_t reserved[3];  // zero when written, not looked at
};

absl::Status CheckExtentFields(const MediaExtent& extent,
                               std::string_view what) {
  if (extent.length == 0 || extent.offset % kAllocUnit != 0 ||
      extent.length % kAllocUnit != 0 ||
      extent.offset + extent.length < extent.offset) {
    return DataLoss("{}: {} bytes at {:#x} are no extent of whole units", what,
                    extent.length, extent.offset);
  }
  return absl::OkStatus();
}

}  // namespace

Line EncodeOwner(const OwnerRecord& record, const Uuid& fs_uuid) {
  return SealLine(OwnerLine{.head = {kOwnerMagic, 0, TagOf(fs_uuid)},
                            .sequence = record.sequence,
                            .epoch = record.epoch,
                            .host = record.host,
                            .nonce = record.nonce,
                            .reserved = 0});
}

Line EncodeHost(const HostRecord& record, const Uuid& fs_uuid) {
  return SealLine(HostLine{
      .head = {kHostMagic, 0, TagOf(fs_uuid)},
      .sequence = record.sequence,
      .session = record.session,
      .host = record.host,
      .boot = record.boot,
      .acknowledged = record.acknowledged,
      .connection_and_state =
          (record.connection & kConnectionMask) |
          (static_cast<std::uint32_t>(record.state) << kConnectionBits),
      .flags = record.marked ? kHostMarked : 0});
}

Line EncodeReservation(const ReservationRecord& record, const Uuid& fs_uuid) {
  return SealLine(
      ReservationLine{.head = {kReservationMagic, 0, TagOf(fs_uuid)},
                      .extent = record.extent,
                      .holder = record.holder,
                      .epoch = record.epoch});
}

Line EncodeClean(const CleanRecord& record, const Uuid& fs_uuid) {
  return SealLine(CleanLine{.head = {kCleanMagic, 0, TagOf(fs_uuid)},
                            .extent = record.extent,
                            .reserved = {}});
}

absl::StatusOr<std::optional<OwnerRecord>> DecodeOwner(
    std::span<const std::byte> copies, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(
      const std::optional<OwnerLine> line,
      NewestLine<OwnerLine>(copies, kOwnerMagic, fs_uuid, "owner record"));
  if (!line) return std::nullopt;
  return OwnerRecord{.sequence = line->sequence,
                     .epoch = line->epoch,
                     .host = line->host,
                     .nonce = line->nonce};
}

absl::StatusOr<std::optional<HostRecord>> DecodeHost(
    std::span<const std::byte> copies, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(
      const std::optional<HostLine> line,
      NewestLine<HostLine>(copies, kHostMagic, fs_uuid, "host row"));
  if (!line) return std::nullopt;
  const std::uint32_t state = line->connection_and_state >> kConnectionBits;
  if (state < static_cast<std::uint32_t>(HostState::kLive) ||
      state > static_cast<std::uint32_t>(HostState::kClosed)) {
    return DataLoss("host row of {}: {} is no state", line->host.ToString(),
                    state);
  }
  return HostRecord{.sequence = line->sequence,
                    .session = line->session,
                    .host = line->host,
                    .boot = line->boot,
                    .acknowledged = line->acknowledged,
                    .connection = line->connection_and_state & kConnectionMask,
                    .state = static_cast<HostState>(state),
                    .marked = (line->flags & kHostMarked) != 0};
}

absl::StatusOr<std::optional<ReservationRecord>> DecodeReservation(
    std::span<const std::byte> line, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<ReservationLine> found,
                         OneLine<ReservationLine>(line, kReservationMagic,
                                                  fs_uuid, "reservation"));
  if (!found) return std::nullopt;
  FAMFS_RETURN_IF_ERROR(CheckExtentFields(found->extent, "reservation"));
  return ReservationRecord{
      .extent = found->extent, .holder = found->holder, .epoch = found->epoch};
}

absl::StatusOr<std::optional<CleanRecord>> DecodeClean(
    std::span<const std::byte> line, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(
      const std::optional<CleanLine> found,
      OneLine<CleanLine>(line, kCleanMagic, fs_uuid, "clean range"));
  if (!found) return std::nullopt;
  FAMFS_RETURN_IF_ERROR(CheckExtentFields(found->extent, "clean range"));
  return CleanRecord{.extent = found->extent};
}

}  // namespace famfs
