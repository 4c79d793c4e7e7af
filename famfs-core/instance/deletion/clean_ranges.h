// Free space that is known to be zero: the table in our region and the same in
// memory (docs/design.md §5, "Free means dirty unless the clean ranges say
// otherwise").
//
// A row is stored after the zeros are on the medium and cleared before the
// space is handed out, so a crash can lose cleanliness, never invent it.
// Neighbours are merged; when the rows run out, the smallest range is
// forgotten. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "dax/device.h"
#include "media/region_tables.h"

namespace famfs {

class CleanRanges {
 public:
  CleanRanges() = default;
  /// Reads the table and clears rows that are damaged or overlap another one,
  /// as a crash within a merge leaves them. `head` outlives this object.
  CleanRanges(Mapping& head, const Uuid& fs_uuid);
  /// To look at: changes nothing on the medium, and must not be changed.
  static CleanRanges Look(const Mapping& head, const Uuid& fs_uuid);

  /// Whether all of it is known to be zero.
  [[nodiscard]] bool Covers(const MediaExtent& extent) const;
  /// It is zero, on the medium too, and no file has it.
  void Add(const MediaExtent& extent);
  /// It is no longer known to be zero; what lies beside it still is.
  void Forget(const MediaExtent& extent);

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t count() const { return ranges_.size(); }

 private:
  using Place = std::pair<std::uint64_t, std::uint64_t>;  // device, offset
  struct Piece {
    std::uint64_t length = 0;
    std::size_t row = 0;
  };
  using Pieces = std::map<Place, Piece>;

  /// The rows that are to be cleared.
  std::vector<std::size_t> Read(const Mapping& head);
  void Store(const MediaExtent& extent);
  void Erase(Pieces::iterator it);

  Mapping* head_ = nullptr;
  Uuid fs_uuid_;
  Pieces ranges_;
  std::vector<std::size_t> free_;  // rows; the last one is used next
};

}  // namespace famfs
