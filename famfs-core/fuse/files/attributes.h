// What stat() and statfs() say. Owner, mode and size come from the log; nothing
// is decided by who asks (requests through idmapped mounts carry no uid).
//
// Times: in tree volumes those of the log, and no access times. Elsewhere the
// log has none but a volume's creation. A file shows the creation of
// its volume, anything else the start of this server, until utimens() sets
// another, which this server remembers until it ends.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/mutex.h"
#include "fuse/files/file_memory.h"
#include "instance/reader/reader.h"
#include "instance/tree/namespace.h"

namespace famfs {

/// setuid and setgid bits are never shown: nothing has to be cleared on a
/// write, which is what kInitHandleKillprivV2 promises. In tree volumes, whose
/// mounts do not honour them either (nosuid), they are what was set: setgid
/// directories hand their group on. Likewise of a volume's directory of any
/// layout, where kubelet sets setgid for fsGroup and looks for it.
inline constexpr std::uint32_t kShownMode = 01777;
inline constexpr std::uint32_t kShownTreeMode = 07777;

/// Of nanoseconds since 1970.
timespec ToTimespec(std::int64_t ns);

class Attributes {
 public:
  Attributes();

  [[nodiscard]] struct stat Of(const Node& node, const Namespace& tree) const;
  /// Of an open file that has left the tree: no links.
  [[nodiscard]] struct stat OfRemoved(const FileShape& shape) const;
  void SetTimes(NodeId id, const timespec& access, const timespec& change);
  void Forget(NodeId id);

 private:
  struct Times {
    timespec access, change;
  };
  void ApplyTimes(NodeId id, timespec created, struct stat& attr) const;

  timespec start_{};
  mutable Mutex mutex_;
  absl::flat_hash_map<NodeId, Times> times_ ABSL_GUARDED_BY(mutex_);
};

/// Inside a tree volume: what it may hold and what it uses, in bytes and in
/// entries of the log.
struct statvfs TreeStatfs(std::uint64_t capacity, const TreeUsage& usage);
/// Inside another volume: its size, nothing used (docs/design.md §3).
struct statvfs VolumeStatfs(const Node& volume);
/// Of the pool.
struct statvfs PoolStatfs(const PoolFigures& figures, std::size_t nodes);

}  // namespace famfs
