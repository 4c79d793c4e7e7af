// Giving back the space of deleted volumes: what every host has let go of is
// zeroed, where hosts are waited for, and then a compaction frees it
// (docs/design.md §5).
//
// Thread-safe; one scrub at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "instance/writer/admission.h"
#include "instance/writer/compactor.h"
#include "instance/writer/writer_state.h"

namespace famfs {

class Reclamation {
 public:
  Reclamation(WriterState& state, Admission& admission, Compactor& compactor)
      : state_(state), admission_(admission), compactor_(compactor) {}

  /// Writer::Reclaim.
  absl::Status Run() ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Whether Run may give back anything.
  [[nodiscard]] bool Helps() const ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Ends a scrub under way, and every later one.
  void Cancel() { cancelled_ = true; }

  /// Of the scrub under way, in bytes; `total` 0: there is none.
  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  absl::Status ScrubReleased();
  absl::StatusOr<std::vector<ScrubJob>> FindScrubs();
  absl::Status ScrubVolume(const ScrubJob& job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Some of a volume's extents. The last ones: then all of it is zero.
  absl::Status ScrubPart(const ScrubJob& part, bool is_last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ScrubExtent(const MediaExtent& extent)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckStillOwner();

  WriterState& state_;
  Admission& admission_;
  Compactor& compactor_;
  // One scrub at a time; guards no member.
  Mutex mutex_ ABSL_ACQUIRED_BEFORE(state_.mutex);
  std::atomic<bool> cancelled_{false};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> total_{0};
};

}  // namespace famfs
