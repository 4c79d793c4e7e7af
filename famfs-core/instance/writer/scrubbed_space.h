// What is known to be zero where deleted space is used again only when hosts
// have let go of it: ranges of free space, and deleted volumes, which the next
// compaction may drop.
//
// Not thread-safe: WriterState::mutex guards it.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/range.h"
#include "instance/deletion/clean_ranges.h"
#include "instance/deletion/reservations.h"
#include "instance/log/log_player.h"

namespace famfs {

/// A deleted volume that may be scrubbed now, and what of it is not zero yet.
struct ScrubJob {
  std::string directory;
  std::uint64_t deletion_number = 0;
  std::vector<MediaExtent> extents;
};

class ScrubbedSpace {
 public:
  /// When opening: what the table says that the log does not contradict. Files
  /// lie from `data_start` on. `head` outlives this object.
  void Load(Mapping& head, const Uuid& fs_uuid, std::uint64_t data_start,
            const LogPlayer& player);
  /// When opening, then: which deleted volumes were scrubbed before. `lost`:
  /// promises of epochs that are over.
  void FindScrubbed(const PendingVolumes& pending,
                    std::span<const Reservation> lost);

  /// For a deleted volume that nobody has any more.
  [[nodiscard]] ScrubJob JobFor(const std::string& directory,
                                const PendingVolume& volume) const;
  /// These extents, of all or of some of the volume's, are zero, on the medium
  /// too.
  void NoteZero(const ScrubJob& part);
  /// Now all of it is. A piece whose volume was deleted meanwhile waits with
  /// that now: only its space is known to be zero.
  void NoteDone(const ScrubJob& job, const PendingVolumes& pending);
  /// Forgets pieces that went over to their deleted volume.
  void Keep(const PendingVolumes& pending);
  /// A compaction dropped them.
  void Drop(const absl::flat_hash_set<std::string>& directories);
  /// Directories of the volumes that are scrubbed.
  [[nodiscard]] const absl::flat_hash_set<std::string>& directories() const {
    return directories_;
  }
  /// `length` bytes of the primary that only a scrubbed volume has.
  [[nodiscard]] std::optional<Range> FindOnPrimary(
      std::uint64_t length, const PendingVolumes& pending) const;

  [[nodiscard]] const CleanRanges& clean() const { return clean_; }
  /// Somebody stores there.
  void Forget(const MediaExtent& extent) { clean_.Forget(extent); }

 private:
  [[nodiscard]] bool IsClean(const PendingVolume& volume) const;

  CleanRanges clean_;
  absl::flat_hash_set<std::string> directories_;
};

}  // namespace famfs
