#include "instance/deletion/clean_ranges.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

constexpr std::size_t CleanRowAt(std::size_t row) {
  return kCleanAt + row * kLineSize;
}

}  // namespace

CleanRanges::CleanRanges(Mapping& head, const Uuid& fs_uuid)
    : head_(&head), fs_uuid_(fs_uuid) {
  for (const std::size_t row : Read(head)) {
    ClearLine(head, CleanRowAt(row));
    free_.push_back(row);
  }
}

CleanRanges CleanRanges::Look(const Mapping& head, const Uuid& fs_uuid) {
  CleanRanges ranges;
  ranges.fs_uuid_ = fs_uuid;
  ranges.Read(head);
  return ranges;
}

std::vector<std::size_t> CleanRanges::Read(const Mapping& head) {
  struct Found {
    std::size_t row;
    MediaExtent extent;
  };
  std::vector<Found> found;
  std::vector<std::size_t> wrong;
  head.Invalidate(kRegionOffset + kCleanAt, kCleanRows * kLineSize);
  for (std::size_t row = kCleanRows; row-- > 0;) {
    Line line;
    std::memcpy(line.data(), head.data() + kRegionOffset + CleanRowAt(row),
                kLineSize);
    const auto record = DecodeClean(line, fs_uuid_);
    if (!record.ok()) {
      wrong.push_back(row);
    } else if (record->has_value()) {
      found.push_back({row, (*record)->extent});
    } else {
      free_.push_back(row);
    }
  }
  // The longest first among those that begin together: it is the merged one.
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tuple(a.extent.device_index, a.extent.offset, b.extent.length) <
           std::tuple(b.extent.device_index, b.extent.offset, a.extent.length);
  });
  for (const auto& [row, extent] : found) {
    const Place place{extent.device_index, extent.offset};
    if (!ranges_.empty()) {
      const auto& [last, piece] = *ranges_.rbegin();
      if (last.first == place.first &&
          last.second + piece.length > place.second) {
        wrong.push_back(row);
        continue;
      }
    }
    ranges_[place] = {extent.length, row};
  }
  return wrong;
}

bool CleanRanges::Covers(const MediaExtent& extent) const {
  auto it = ranges_.upper_bound({extent.device_index, extent.offset});
  if (it == ranges_.begin()) return false;
  --it;
  return it->first.first == extent.device_index &&
         it->first.second + it->second.length >= extent.offset + extent.length;
}

void CleanRanges::Store(const MediaExtent& extent) {
  if (free_.empty()) {
    if (ranges_.empty()) return;
    const auto smallest = std::min_element(
        ranges_.begin(), ranges_.end(), [](const auto& a, const auto& b) {
          return a.second.length < b.second.length;
        });
    if (smallest->second.length >= extent.length) return;
    Erase(smallest);
  }
  const std::size_t row = free_.back();
  free_.pop_back();
  StoreLine(*head_, CleanRowAt(row), EncodeClean({extent}, fs_uuid_));
  ranges_[{extent.device_index, extent.offset}] = {extent.length, row};
}

void CleanRanges::Erase(Pieces::iterator it) {
  ClearLine(*head_, CleanRowAt(it->second.row));
  free_.push_back(it->second.row);
  ranges_.erase(it);
}

void CleanRanges::Add(const MediaExtent& extent) {
  if (Covers(extent)) return;
  Forget(extent);
  MediaExtent merged = extent;
  std::vector<Place> neighbours;
  const auto after = ranges_.lower_bound({extent.device_index, extent.offset});
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (before->first.first == extent.device_index &&
        before->first.second + before->second.length == extent.offset) {
      neighbours.push_back(before->first);
      merged.offset = before->first.second;
      merged.length += before->second.length;
    }
  }
  if (after != ranges_.end() &&
      after->first ==
          Place{extent.device_index, extent.offset + extent.length}) {
    neighbours.push_back(after->first);
    merged.length += after->second.length;
  }
  // With all rows in use the merged one takes a neighbour's place, which loses
  // nothing but for a crash in between.
  std::vector<std::size_t> rows;
  for (const Place& place : neighbours) {
    const auto it = ranges_.find(place);
    if (free_.empty()) {
      Erase(it);
      continue;
    }
    rows.push_back(it->second.row);
    ranges_.erase(it);
  }
  Store(merged);
  for (const std::size_t row : rows) {
    ClearLine(*head_, CleanRowAt(row));
    free_.push_back(row);
  }
}

void CleanRanges::Forget(const MediaExtent& extent) {
  const std::uint64_t end = extent.offset + extent.length;
  auto it = ranges_.lower_bound({extent.device_index, extent.offset});
  if (it != ranges_.begin()) {
    const auto before = std::prev(it);
    if (before->first.first == extent.device_index &&
        before->first.second + before->second.length > extent.offset) {
      it = before;
    }
  }
  std::vector<MediaExtent> rests;
  while (it != ranges_.end() && it->first.first == extent.device_index &&
         it->first.second < end) {
    const std::uint64_t start = it->first.second;
    const std::uint64_t piece_end = start + it->second.length;
    if (start < extent.offset) {
      rests.push_back({extent.device_index, start, extent.offset - start});
    }
    if (piece_end > end) {
      rests.push_back({extent.device_index, end, piece_end - end});
    }
    const auto next = std::next(it);
    Erase(it);
    it = next;
  }
  for (const MediaExtent& rest : rests) Store(rest);
}

std::uint64_t CleanRanges::bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [place, piece] : ranges_) bytes += piece.length;
  return bytes;
}

}  // namespace famfs
