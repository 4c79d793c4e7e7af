// The FUSE connections of this machine, as the kernel's control file system
// (fusectl) shows them: a directory for each, named by its number.
//
// The number of a connection that has ended is given to the next file system of
// any kind, so it names a connection only as long as that lasts. What is held
// is the directory itself: it stays the old one's, and empty, when the number
// is another one's.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "media/region_tables.h"

namespace famfs {

/// Not thread-safe. Holds a descriptor for each connection that is in question.
class FuseConnections {
 public:
  /// `own`: the number of a connection that is there; 0: not known, and nothing
  /// ever is.
  explicit FuseConnections(std::uint32_t own) : own_(own) {}

  /// Which of these host sessions' connections are gone: no mount, no open file
  /// and no mapping is left of them. None when that cannot be known, which
  /// includes that our own is not shown either. The first time that a session
  /// is asked about, whoever has its number counts as its connection; a session
  /// that is left out is forgotten.
  std::vector<std::uint32_t> FindGone(const std::vector<HostRecord>& sessions);

 private:
  const std::uint32_t own_;
  UniqueFd control_;
  /// By session; invalid: it was gone.
  absl::flat_hash_map<std::uint32_t, UniqueFd> held_;
};

}  // namespace famfs
