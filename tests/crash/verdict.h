// Opens what a crash left and says what is wrong with it.
#pragma once

#include <string>
#include <vector>

#include "tests/crash/history.h"

namespace famfs::crash {

/// What has to be there: the acknowledged state, or that of the step in flight.
struct Expected {
  State acknowledged;
  State in_flight;
  bool is_mkfs = false;       // in flight; the device may also be blank
  bool is_take_over = false;  // in flight; either host may be the owner
  bool force = false;
};

/// How much of it: kBrief leaves out our own fsck and what comes after the
/// opening, for the many crashes.
enum class Depth { kBrief, kThorough };

/// One sentence for each thing that is not as it must be. Before the opening:
/// no reader sees anything but the two states, fsck finds nothing but
/// unfinished work. After it: the state is one of the two, files hold their
/// bytes and new ones zeros, upstream's rules hold and fsck is clean, free
/// space is exact, the extents are those of the log, and the writer can go on.
///
/// The medium is changed: the caller takes it back.
std::vector<std::string> Judge(Medium& medium, const Expected& expected,
                               const std::string& lock_directory, Depth depth);

}  // namespace famfs::crash
