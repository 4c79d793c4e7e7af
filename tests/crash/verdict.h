// Opens what a crash left and says what is wrong with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/crash/scenario.h"

namespace famfs::crash {

/// One sentence for each thing that is not as it must be. Before the opening:
/// no reader sees anything but the two states, fsck finds nothing but
/// unfinished work. After it: the state is one of the two, fsck is clean, free
/// space is exact, the extents are those of the log, and the writer can go on.
/// `recovery` records the opening; it may be null.
std::vector<std::string> Judge(const std::shared_ptr<Medium>& medium,
                               const Expected& expected,
                               const std::string& lock_directory,
                               Recorder* recovery);

}  // namespace famfs::crash
