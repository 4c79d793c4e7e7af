// Fsck's part for tree volumes: what no single entry shows, and on emulated
// devices the nodes' own files against the log.
#pragma once

#include <string>
#include <vector>

#include "dax/device.h"
#include "instance/log/finding.h"
#include "instance/log/log_player.h"

namespace famfs {

/// Of the log alone: a file whose record has a size that its pieces do not hold
/// ("size"), and a volume that has more bytes, or more nodes and pieces, than
/// its capacity promises ("quota").
std::vector<Finding> CheckTrees(const LogPlayer& player);

/// A live file without its node file is an error that names its path; one that
/// no record names is unfinished work, of a creation or a removal, unless
/// something of the log could not be read (`unread`, as ExtentFileCheck; rule
/// "unnamed"). Unfinished is also one that is shorter than the record's size
/// (rule "node_file"), or that lacks memory ("memory"). Nothing on devices
/// without node files. `device`: the primary, which has them all.
std::vector<Finding> CheckNodeFiles(DaxDevice& device, const LogPlayer& player,
                                    const std::string& unread);

}  // namespace famfs
