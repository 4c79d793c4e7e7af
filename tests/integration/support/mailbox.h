// What hosts ask the owner of a pool for.
#pragma once

#include <vector>

#include "dax/device.h"
#include "media/tree_request.h"

namespace famfs::rig {

/// The requests that stand in the mailboxes now, answered ones, too; none where
/// those cannot be read.
std::vector<TreeRequest> StandingRequests(DaxDevice& primary);

}  // namespace famfs::rig
