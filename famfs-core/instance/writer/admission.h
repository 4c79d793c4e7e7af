// Which of the instance's devices the writer uses: it takes up those that were
// missing and are there now, lets go of those that are the instance's no
// longer, and makes what lies on an emulated one agree with the log.
//
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/range.h"
#include "base/status.h"
#include "dax/device.h"
#include "instance/writer/writer_state.h"

namespace famfs {

class Admission {
 public:
  explicit Admission(WriterState& state) : state_(state) {}

  /// Looks at all devices. Errors are the primary's, or why the writer has
  /// stopped.
  absl::Status Admit() ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Writer::CheckStanding.
  absl::Status CheckStanding() ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Writer::MissingExtents.
  [[nodiscard]] std::vector<MediaExtent> MissingExtents() const
      ABSL_LOCKS_EXCLUDED(state_.mutex);

 private:
  /// What of a device is taken, so that nothing else there is anybody's.
  struct Extents {
    std::vector<Range> live;   // of files
    std::vector<Range> named;  // and all others
  };

  [[nodiscard]] std::vector<std::shared_ptr<DaxDevice>> Present() const;
  absl::Status AdmitDevice(std::uint64_t index,
                           const std::shared_ptr<DaxDevice>& device)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Reconcile(std::uint64_t index, DaxDevice& device);
  absl::Status ReconcileNodeFiles(DaxDevice& device);
  absl::Status RemoveLeftovers(std::uint64_t index, DaxDevice& device,
                               const std::vector<Range>& present,
                               const std::vector<Range>& named);
  [[nodiscard]] Extents ExtentsOn(std::uint64_t index) const;

  WriterState& state_;
  Mutex mutex_ ABSL_ACQUIRED_BEFORE(state_.mutex);  // one admission at a time
  std::string error_ ABSL_GUARDED_BY(mutex_);       // what was told last
  std::vector<MediaExtent> missing_ ABSL_GUARDED_BY(state_.mutex);
};

}  // namespace famfs
