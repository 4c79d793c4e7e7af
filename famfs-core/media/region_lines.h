// What the records of our region have in common (media/region.h): a line's
// head, its checksum and how a line is judged. For region.cc, region_tables.cc
// and mailbox_lines.cc alone.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "base/status.h"
#include "media/checksum.h"
#include "media/region.h"

namespace famfs::region {

/// Every line begins with it.
struct LineHead {
  std::uint32_t magic;
  std::uint32_t crc;  // of the 64 bytes with this field zero
  std::uint64_t tag;  // the first 8 bytes of the file system's uuid
};

inline std::uint64_t TagOf(const Uuid& fs_uuid) {
  std::uint64_t tag = 0;
  std::memcpy(&tag, fs_uuid.bytes.data(), sizeof(tag));
  return tag;
}

/// `T` begins with a LineHead `head`.
template <typename T>
Line SealLine(T line) {
  static_assert(sizeof(T) == kLineSize);
  line.head.crc = 0;
  Line bytes{};
  std::memcpy(bytes.data(), &line, kLineSize);
  line.head.crc = static_cast<std::uint32_t>(Crc32(bytes));
  std::memcpy(bytes.data(), &line, kLineSize);
  return bytes;
}

enum class LineState { kAbsent, kDamaged, kValid };

/// Judges a line. A checksum that fits vouches for the tag, so another tag then
/// means another file system; without it the tag may itself be what is damaged,
/// and the line counts as damaged.
template <typename T>
LineState Judge(std::span<const std::byte> bytes, std::uint32_t magic,
                const Uuid& fs_uuid, T& line) {
  std::memcpy(static_cast<void*>(&line), bytes.data(), kLineSize);
  if (line.head.magic != magic) return LineState::kAbsent;
  const Line sealed = SealLine(line);
  if (!std::equal(bytes.begin(), bytes.end(), sealed.begin())) {
    return LineState::kDamaged;
  }
  return line.head.tag == TagOf(fs_uuid) ? LineState::kValid
                                         : LineState::kAbsent;
}

/// The newest valid line of a pair, by the member `sequence`; one that stands
/// in the other slot than its sequence says is damaged, and so is one whose
/// sequence nobody can have counted up to: what came behind it would never be
/// the newest. `what` names the pair in messages.
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
    LineState state = Judge(copies.subspan(slot * kLineSize, kLineSize), magic,
                            fs_uuid, line);
    if (state == LineState::kValid &&
        (line.sequence % 2 != slot ||
         line.sequence >
             std::numeric_limits<decltype(line.sequence)>::max() / 2)) {
      state = LineState::kDamaged;
    }
    damaged = damaged || state == LineState::kDamaged;
    if (state == LineState::kValid &&
        (!newest || newest->sequence < line.sequence)) {
      newest = line;
    }
  }
  if (!newest && damaged) {
    return DataLoss(
        "{}: its magic stands in the region, but no copy has a valid checksum",
        what);
  }
  return newest;
}

/// A record of one line: nullopt when absent, DataLoss when damaged.
template <typename T>
absl::StatusOr<std::optional<T>> OneLine(std::span<const std::byte> bytes,
                                         std::uint32_t magic,
                                         const Uuid& fs_uuid,
                                         std::string_view what) {
  if (bytes.size() != kLineSize) {
    return Internal("{}: asked to decode {} bytes, not {}", what, bytes.size(),
                    kLineSize);
  }
  T line;
  switch (Judge(bytes, magic, fs_uuid, line)) {
    case LineState::kAbsent:
      return std::nullopt;
    case LineState::kDamaged:
      return DataLoss(
          "{}: its magic stands in the region, but its checksum "
          "does not fit",
          what);
    case LineState::kValid:
      break;
  }
  return line;
}

}  // namespace famfs::region
