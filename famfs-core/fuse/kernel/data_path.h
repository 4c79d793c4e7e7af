// Which way a mapped page takes to the memory (docs/data-paths.md):
// chosen once, when mounting, and never degraded silently.
#pragma once

#include "base/status.h"
#include "dax/device.h"
#include "fuse/kernel/wire.h"
#include "media/volume_attributes.h"

namespace famfs {

/// The path to serve: kPassthrough or kCopy, never kAuto. Call it after the
/// INIT was answered: it tries the device's first extent as a backing file.
/// IsPathRefused, and why, when the path named in `asked` cannot be served;
/// with kAuto `why_not_better` says why it is not passthrough (empty when it
/// is). Unavailable when that cannot be told now: what fails for a moment must
/// not decide for the life of a mount.
struct ChosenPath {
  DataPath path = DataPath::kCopy;
  std::string why_not_better;
};
absl::StatusOr<ChosenPath> ChooseDataPath(DataPath asked, DaxDevice& device,
                                          const Wire& wire);

/// Whether an error says that this machine cannot serve the path asked for.
[[nodiscard]] bool IsPathRefused(const absl::Status& status);

}  // namespace famfs
