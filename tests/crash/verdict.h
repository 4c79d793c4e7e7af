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
  bool is_add = false;        // in flight; the device may also be none of it
  bool is_at_end = false;     // nothing is in flight
  bool force = false;
  std::string filling{};  // a file that may hold anything
  /// Units (of the medium) that the step in flight stores to and that no entry
  /// names yet: its writer may go on doing so when another host takes over.
  std::set<std::uint64_t> stored{};
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

/// Opens it as another host that takes it over from a writer that it does not
/// know to be dead: what that one may still store to must be given to nobody
/// before it is evicted, and comes back then; of what it has ended nothing is
/// kept.
std::vector<std::string> JudgeTakeOver(Medium& medium, const Expected& expected,
                                       const std::string& lock_directory);

}  // namespace famfs::crash
