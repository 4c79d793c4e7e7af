#include "media/region.h"

#include "media/region_lines.h"

namespace famfs {
namespace {

using region::LineHead;
using region::NewestLine;
using region::SealLine;
using region::TagOf;

constexpr std::uint32_t kStateMagic = 0x54534d46;       // "FMST"
constexpr std::uint32_t kCompactionMagic = 0x50434d46;  // "FMCP"

struct StateLine {
  LineHead head;
  std::uint64_t sequence;
  std::uint64_t generation;
  std::uint64_t writer_epoch;
  Uuid writer_host;
  std::uint64_t last_deletion;
};
static_assert(sizeof(StateLine) == kLineSize);
static_assert(offsetof(StateLine, writer_host) == 40);

struct CompactionLine {
  LineHead head;
  std::uint64_t sequence;
  std::uint64_t generation;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint64_t image_crc;
  std::uint64_t reserved;  // zero when written, not looked at
};
static_assert(sizeof(CompactionLine) == kLineSize);

}  // namespace

Line EncodeState(const StateRecord& record, const Uuid& fs_uuid) {
  return SealLine(StateLine{
      .head = {kStateMagic, 0, TagOf(fs_uuid)},
      .sequence = record.sequence,
      .generation = record.generation,
      .writer_epoch = record.writer_epoch,
      .writer_host = record.writer_host,
      .last_deletion = record.last_deletion,
  });
}

Line EncodeCompaction(const CompactionRecord& record, const Uuid& fs_uuid) {
  return SealLine(CompactionLine{
      .head = {kCompactionMagic, 0, TagOf(fs_uuid)},
      .sequence = record.sequence,
      .generation = record.generation,
      .offset = record.offset,
      .length = record.length,
      .image_crc = record.image_crc,
      .reserved = 0,
  });
}

absl::StatusOr<std::optional<StateRecord>> DecodeState(
    std::span<const std::byte> copies, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(
      const std::optional<StateLine> line,
      NewestLine<StateLine>(copies, kStateMagic, fs_uuid, "state record"));
  if (!line) return std::nullopt;
  return StateRecord{
      .sequence = line->sequence,
      .generation = line->generation,
      .writer_epoch = line->writer_epoch,
      .writer_host = line->writer_host,
      .last_deletion = line->last_deletion,
  };
}

absl::StatusOr<std::optional<CompactionRecord>> DecodeCompaction(
    std::span<const std::byte> copies, const Uuid& fs_uuid) {
  FAMFS_ASSIGN_OR_RETURN(
      const std::optional<CompactionLine> line,
      NewestLine<CompactionLine>(copies, kCompactionMagic, fs_uuid,
                                 "compaction record"));
  if (!line) return std::nullopt;
  return CompactionRecord{
      .sequence = line->sequence,
      .generation = line->generation,
      .offset = line->offset,
      .length = line->length,
      .image_crc = line->image_crc,
  };
}

}  // namespace famfs
