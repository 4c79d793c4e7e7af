// A life of an instance, recorded: mkfs, creations, deletions, compactions,
// openings, and after each what a user was told is there.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "instance/mkfs.h"
#include "instance/writer.h"
#include "tests/crash/recording_device.h"

namespace famfs::crash {

/// What an instance holds, as a user sees it.
struct State {
  bool formatted = false;
  std::map<std::string, std::uint64_t> files;    // path -> size
  std::set<std::string> directories;             // with the volumes'
  std::map<std::string, std::uint64_t> volumes;  // directory -> capacity
  std::uint64_t pending = 0;    // bytes of deleted volumes, on a flat device
  std::uint64_t deletions = 0;  // acknowledged
  bool operator==(const State&) const = default;
};

/// One operation: acknowledged after event `end`, in flight from `begin`.
struct Step {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
  State after;
};

struct Scenario {
  bool has_extent_files = false;
  std::vector<Event> events;
  std::vector<Step> steps;
};

/// Same uuids in every run, so that recordings are equal.
MkfsOptions FixedMkfsOptions(const std::string& lock_directory);
WriterOptions FixedWriterOptions(const std::string& lock_directory);

/// Records it; `mutation` is Recorder::ignore_write_back.
Scenario Record(bool has_extent_files, const std::string& lock_directory,
                const std::function<bool(const Range&)>& mutation = nullptr);

/// What has to be there when the events stop at `count`: the acknowledged
/// state, and the state if the operation in flight counts as done.
struct Expected {
  State acknowledged;
  State in_flight;
  std::string step;  // in flight, or the last one
};
Expected ExpectedAt(const Scenario& scenario, std::size_t count);

}  // namespace famfs::crash
