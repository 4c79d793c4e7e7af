#include "instance/devices/metadata_store.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/page.h"
#include "media/checksum.h"

namespace famfs {
namespace {

constexpr std::array<std::byte, 8> kNothing{};

void StoreHeaderWords(Mapping& log, const MediaLogHeader& header) {
  log.Store16(0, header.magic, header.length);
  log.Store16(16, header.last_index, header.crc);
}

}  // namespace

bool IsZero(std::span<const std::byte> bytes) {
  // Each byte equals its successor, and the first one is zero: many times
  // faster than a look at each byte.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} &&
          std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

void StoreState(Mapping& head, const StateRecord& record, const Uuid& fs_uuid) {
  StoreLine(head, CopyAt(kStateAt, record.sequence),
            EncodeState(record, fs_uuid));
}

void StoreCompaction(Mapping& head, const CompactionRecord& record,
                     const Uuid& fs_uuid) {
  StoreLine(head, CopyAt(kCompactionAt, record.sequence),
            EncodeCompaction(record, fs_uuid));
}

void StoreOwner(Mapping& head, const OwnerRecord& record, const Uuid& fs_uuid) {
  StoreLine(head, CopyAt(kOwnerAt, record.sequence),
            EncodeOwner(record, fs_uuid));
}

void StoreHost(Mapping& head, std::size_t row, const HostRecord& record,
               const Uuid& fs_uuid) {
  StoreLine(head, CopyAt(HostAt(row), record.sequence),
            EncodeHost(record, fs_uuid));
}

void StoreLine(Mapping& head, std::size_t at, const Line& line) {
  const std::size_t start = kRegionOffset + at;
  const std::span<const std::byte> bytes(line);
  head.Store(start, kNothing);
  head.Store(start + 8, bytes.subspan(8));
  head.Store(start, bytes.first(8));
  head.WriteBack(start, kLineSize);
}

void ClearLine(Mapping& head, std::size_t at) {
  head.Store(kRegionOffset + at, kNothing);
  head.WriteBack(kRegionOffset + at, kNothing.size());
}

MediaLogHeader MakeLogHeader(std::uint64_t length, std::uint64_t entries) {
  MediaLogHeader header{
      .magic = kLogMagic,
      .length = length,
      .last_index = LastIndex(length),
      .next_seqnum = entries,
      .next_index = entries,
  };
  Seal(header);
  return header;
}

void StoreLogHeader(Mapping& log, std::uint64_t length, std::uint64_t entries) {
  const MediaLogHeader header = MakeLogHeader(length, entries);
  log.Store16(kLogCountersAt, entries, entries);
  StoreHeaderWords(log, header);
  log.WriteBack(0, sizeof(header));
}

void StoreCompactingHeader(Mapping& log) {
  MediaLogHeader header{
      .magic = kLogMagic, .length = 0, .last_index = LastIndex(log.size())};
  Seal(header);
  StoreHeaderWords(log, header);
  log.Store16(kLogCountersAt, 0, 0);
  log.WriteBack(0, sizeof(header));
}

void StoreLogCounters(Mapping& log, std::uint64_t entries) {
  log.Store16(kLogCountersAt, entries, entries);
  log.WriteBack(kLogCountersAt, 16);
}

void ZeroDirty(Mapping& mapping, std::size_t at, std::size_t length) {
  mapping.Invalidate(at, length);
  const std::size_t end = at + length;
  while (at < end) {
    const std::size_t step = std::min(end - at, kPage - at % kPage);
    if (!IsZero(mapping.bytes().subspan(at, step))) {
      mapping.StoreZeros(at, step);
      mapping.WriteBack(at, step);
    }
    at += step;
  }
}

}  // namespace famfs
