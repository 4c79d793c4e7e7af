// The plugin's side of famfs-fused-spawner (node/fused/spawner_wire.h).
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "node/fused/fused.h"

namespace famfs::node {

/// Asks the spawner at options.spawner to start the server. Unavailable: no
/// spawner answers there (its container starts, as a rule), or what it says.
/// `fuse`: an open /dev/fuse for it.
absl::StatusOr<StartingFused> AskToStart(const FusedLaunch& options,
                                         UniqueFd fuse);

/// The spawner's living child that was started with this lock file; nullopt:
/// it has none.
absl::StatusOr<std::optional<FusedProcess>> AskToFind(
    const FusedLaunch& options);

}  // namespace famfs::node
