#include "media/region.h"

#include <algorithm>
#include <cstring>

#include "media/checksum.h"

namespace famfs {
namespace {

constexpr std::uint32_t kStateMagic = 0x54534d46;       // "FMST"
constexpr std::uint32_t kCompactionMagic = 0x50434d46;  // "FMCP"

struct LineHead {
  std::uint32_t magic;
  std::uint32_t crc;  // of the 64 bytes with this field zero
  std::uint64_t tag;  // the first 8 bytes of the file system's uuid
  std::uint64_t sequence;
};

struct StateLine {
  LineHead head;
  std::uint64_t generation;
  std::uint64_t writer_epoch;
  Uuid writer_host;
  std::uint64_t last_deletion;
};
static_assert(sizeof(StateLine) == kLineSize);
static_assert(offsetof(StateLine, writer_host) == 40);

struct CompactionLine {
  LineHead head;
  std::uint64_t generation;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint64_t image_crc;
  std::uint64_t reserved;  // zero when written, not looked at
};
static_assert(sizeof(CompactionLine) == kLineSize);

std::uint64_t TagOf(const Uuid& fs_uuid) {
  std::uint64_t tag = 0;
  std::memcpy(&tag, fs_uuid.bytes.data(), sizeof(tag));
  return tag;
}

template <typename T>
Line SealLine(T line) {
  line.head.crc = 0;
  Line bytes{};
  std::memcpy(bytes.data(), &line, kLineSize);
  line.head.crc = static_cast<std::uint32_t>(Crc32(bytes));
  std::memcpy(bytes.data(), &line, kLineSize);
  return bytes;
}

enum class LineState { kAbsent, kDamaged, kValid };

/// Judges the copy in `slot` (0 or 1) of a pair. A checksum that fits vouches
/// for the tag, so another tag then means another file system; without it the
/// tag may itself be what is damaged, and the line counts as damaged.
template <typename T>
LineState Judge(std::span<const std::byte> bytes, std::uint32_t magic,
                std::uint64_t tag, std::size_t slot, T& line) {
  std::memcpy(&line, bytes.data(), kLineSize);
  if (line.head.magic != magic) return LineState::kAbsent;
  const Line sealed = SealLine(line);
  if (!std::equal(bytes.begin(), bytes.end(), sealed.begin())) {
    return LineState::kDamaged;
  }
  if (line.head.tag != tag) return LineState::kAbsent;
  return line.head.sequence % 2 == slot ? LineState::kValid
                                        : LineState::kDamaged;
}

/// The newest valid line of a pair; `what` names the pair in messages.
template <typename T>
absl::StatusOr<std::optional<T>> NewestLine(std::span<const std::byte> copies,
                                            std::uint32_t magic,
                                            const Uuid& fs_uuid,
                                            std::string_view what) {
  if (copies.size() != 2 * kLineSize) {
    return Internal("{}: asked to decode {} bytes, not {}", what, copies.size(),
                    2 * kLineSize);
  }
  std::optional<T> newest;
  bool damaged = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    T line;
    switch (Judge(copies.subspan(slot * kLineSize, kLineSize), magic,
                  TagOf(fs_uuid), slot, line)) {
      case LineState::kAbsent:
        break;
      case LineState::kDamaged:
        damaged = true;
        break;
      case LineState::kValid:
        if (!newest || newest->head.sequence < line.head.sequence) {
          newest = line;
        }
        break;
    }
  }
  if (!newest && damaged) {
    return DataLoss(
        "{}: its magic stands in the region, but no copy has a valid checksum",
        what);
  }
  return newest;
}

}  // namespace

Line EncodeState(const StateRecord& record, const Uuid& fs_uuid) {
  return SealLine(StateLine{
      .head = {kStateMagic, 0, TagOf(fs_uuid), record.sequence},
      .generation = record.generation,
      .writer_epoch = record.writer_epoch,
      .writer_host = record.writer_host,
      .last_deletion = record.last_deletion,
  });
}

Line EncodeCompaction(const CompactionRecord& record, const Uuid& fs_uuid) {
  return SealLine(CompactionLine{
      .head = {kCompactionMagic, 0, TagOf(fs_uuid), record.sequence},
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
      .sequence = line->head.sequence,
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
      .sequence = line->head.sequence,
      .generation = line->generation,
      .offset = line->offset,
      .length = line->length,
      .image_crc = line->image_crc,
  };
}

}  // namespace famfs
