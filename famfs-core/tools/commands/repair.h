// famfs fsck --repair: mends what can be mended without a live entry or a byte
// of a file being touched.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "instance/check/fsck.h"
#include "tools/common/context.h"

namespace famfs {

struct RepairReport {
  FsckReport before;
  FsckReport after;
  /// One sentence for each thing that was done.
  std::vector<std::string> done;
  /// One sentence for each reason why something is left as it is.
  std::vector<std::string> refused;
};

/// Takes the writer's lock, so that no live writer is disturbed; a clean
/// instance is not written at all. What is done:
///   - a log header whose checksum is wrong is stored again, when both counters
///     agree with the entries that stand there whole, and no compaction is
///     recorded;
///   - what an interrupted write left is completed by opening a Writer
///     (counters, slots beyond the end, a compaction, leftover extent files);
///   - a damaged copy of a region's pair beside a valid one is written anew.
///
/// Of a clean one, too, extents are no longer served that nobody has open or
/// mapped (DaxDevice::EndAllServing), for which no lock is needed.
/// Everything else is refused with its reason.
absl::StatusOr<RepairReport> Repair(const std::string& spec,
                                    const WriteOptions& options);

}  // namespace famfs
