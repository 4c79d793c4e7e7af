// Opens what a crash left and says what is wrong with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/crash/scenario.h"

namespace famfs::crash {

/// How much of it: kBrief leaves out fsck before the opening and what comes
/// after it, for the many crashes within recoveries.
enum class Depth { kBrief, kThorough };

/// One sentence for each thing that is not as it must be. Before the opening:
/// no reader sees anything but the two states, fsck finds nothing but
/// unfinished work (unless a compaction was under way). After it: the state is
/// one of the two, fsck is clean, free space is exact, the extents are those of
/// the log, and the writer can go on.
std::vector<std::string> Judge(const std::shared_ptr<Medium>& medium,
                               const Expected& expected,
                               const std::string& lock_directory, Depth depth);

}  // namespace famfs::crash
