// Checks an instance without changing it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/devices/device_set.h"
#include "instance/log/finding.h"
#include "media/format.h"

namespace famfs {

/// One device of the instance, as the log and the machine know it.
struct CheckedDevice {
  Uuid uuid;
  std::uint64_t size = 0;  // bytes
  std::string spec;        // empty: missing
};

struct FsckReport {
  std::vector<Finding> findings;  // empty: clean; capped, see truncated
  bool truncated = false;         // more findings than the cap (1,000)
  bool have_superblock = false;
  MediaSuperblock superblock;
  std::uint64_t entries = 0;  // in use
  std::uint64_t slots = 0;
  // With those in tree volumes:
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t volumes = 0;           // live
  std::vector<CheckedDevice> devices;  // by index, the primary first
  // Of the devices that are there:
  std::uint64_t used_bytes = 0;     // with superblocks and log
  std::uint64_t free_bytes = 0;     // at most, while an entry cannot be read
  std::uint64_t pending_bytes = 0;  // of deleted volumes
  [[nodiscard]] bool clean() const { return findings.empty(); }
};

/// Never fails on content: everything wrong is a finding. On a live instance a
/// pass that shows findings is repeated, so that a write under way is not told
/// as damage. Time is linear in the log, memory in its entries. Also checked:
/// superblock against the device's size, counters, slots beyond the end, our
/// region, sizes and quotas of tree volumes, and on an emulated device the
/// extents' and nodes' files against the log.
/// A secondary device that is missing is a finding of that severity; files on
/// it are checked as far as the log goes.
FsckReport Fsck(DeviceSet& devices);
/// The primary alone.
FsckReport Fsck(DaxDevice& device);

}  // namespace famfs
