// The log without its dead entries: as an image, and from an image back into
// its place (docs/design.md §5). No locks and no allocation here: the writer's
// owned_log_compact.cc has the steps' order, owned_log_open.cc completes what a
// crash interrupted.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/log/log_player.h"
#include "media/format.h"
#include "media/region.h"

namespace famfs {

/// A whole new log: header (with its counters) and entries, without the tail.
struct LogImage {
  std::vector<std::byte> bytes;
  std::uint64_t entries = 0;

  /// Bytes of the extent that holds it on the device, whole units.
  [[nodiscard]] std::uint64_t extent_length() const;
};

struct CompactionPlan {
  std::uint64_t log_length = 0;  // bytes
  std::uint64_t entries = 0;     // in use
  /// Directories of the deleted volumes, and paths of the dead pieces, whose
  /// entries go; those of all others stay, because their extents must stay
  /// taken. Null: none goes.
  const absl::flat_hash_set<std::string>* drop = nullptr;
  /// What the entries made, for tree volumes. Null: there are none.
  const LogPlayer* player = nullptr;
};

/// DataLoss, naming it, when one of the first `entries` entries of `log` is not
/// what was once played: an image would give it a checksum that fits, and so
/// make damage look whole.
[[nodiscard]] absl::Status CheckStillWhole(std::span<const std::byte> log,
                                           std::uint64_t entries);

/// Keeps the order and renumbers. A directory's entry stands where its first
/// one stood, so parents stay before their children, with the attributes of its
/// last live revision; a repeated mkdir without attributes goes, as it changed
/// nothing. Of a dead volume that stays, the entry of its deletion stays too.
/// Behind a tree volume's entry stand the last record of each of its nodes,
/// parents before children, each with the pieces that it has, and then the dead
/// pieces; of a dead one its pieces alone.
/// `log` begins at the log's header and was played without an error.
LogImage MakeLogImage(std::span<const std::byte> log,
                      const CompactionPlan& plan);

/// Stores the image's entries into the log, whose header is in the compacting
/// form, zeroes the slots from there to `old_entries`, and makes the header
/// valid. Mapping::Check's errors: the header is in the compacting form still.
[[nodiscard]] absl::Status RewriteLog(Mapping& log, const LogImage& image,
                                      std::uint64_t old_entries);

/// Reads the image that `record` names. DataLoss when its bytes do not have the
/// record's checksum or are no log of `log_length` bytes.
absl::StatusOr<LogImage> LoadLogImage(DaxDevice& device,
                                      const CompactionRecord& record,
                                      std::uint64_t log_length);

}  // namespace famfs
