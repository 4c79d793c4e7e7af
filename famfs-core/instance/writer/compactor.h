// Compactions: the log is rewritten without what no longer counts, and the
// extents that only dropped entries named are removed and free again.
//
// Thread-safe; one compaction at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/range.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/writer/writer_state.h"

namespace famfs {

class Compactor {
 public:
  explicit Compactor(WriterState& state) : state_(state) {}

  /// Writer::Compact.
  absl::Status Compact() ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Whether it would drop entries, or free extents.
  [[nodiscard]] bool Helps() const ABSL_LOCKS_EXCLUDED(state_.mutex);

 private:
  /// Tries again to remove what could not be removed.
  void RemoveStuck();
  void RemoveNodeFiles(const std::vector<std::string>& names);
  /// What is nobody's afterwards.
  absl::StatusOr<OwnedLog::Dropped> Rewrite()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  absl::StatusOr<std::unique_ptr<Mapping>> PlaceImage(std::uint64_t length,
                                                      Range& place)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  absl::StatusOr<std::unique_ptr<Mapping>> PlaceImageInScrubbed(
      std::uint64_t length, Range& place)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);

  WriterState& state_;
  // One compaction at a time; guards no member.
  Mutex mutex_ ABSL_ACQUIRED_BEFORE(state_.mutex);
};

}  // namespace famfs
