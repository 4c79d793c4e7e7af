// How much of an instance's memory is free, and what the rest is used for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "instance/log/log_player.h"

namespace famfs {

/// Figures of the whole pool, in bytes. Of devices that are missing nothing
/// counts.
struct PoolFigures {
  std::uint64_t size = 0;     // the devices
  std::uint64_t free = 0;     // taken by nothing
  std::uint64_t largest = 0;  // of it, in one piece
  /// Of `free`, what the file systems under the devices cannot give at the
  /// moment (dax/device.h, Backing).
  std::uint64_t unbacked = 0;
  /// Of `free`, what live tree volumes may still ask for: nobody else's. More
  /// than is free while deleted space waits, or where a device is missing.
  std::uint64_t promised = 0;
  std::uint64_t promised_slots = 0;  // of the log, likewise
  std::uint64_t pending = 0;         // of deleted volumes, not yet free
  std::uint64_t entries = 0;         // log slots in use
  std::uint64_t slots = 0;           // log slots in all

  // Parts of `pending` and of what is neither free nor pending. Reader::Figures
  // leaves them 0; Reader::Space and Writer::Figures fill them in.
  std::uint64_t reserved = 0;     // promised to files that are being made
  std::uint64_t quarantined = 0;  // waits for hosts, or for a lost epoch's end
  std::uint64_t releasable = 0;   // the next compaction frees it
  std::size_t waiting_hosts = 0;  // sessions that deleted volumes wait for
  std::uint64_t scrub_done = 0;   // of the scrub under way (Writer alone)
  std::uint64_t scrub_total = 0;  // 0: none is
};

enum class DeletedState {
  kQuarantined,  // a host, or a lost epoch's writer, may still use its bytes
  kDirty,        // waits for nobody; to be scrubbed
  kReleasable,   // zero (or an emulated file): the next compaction frees it
};
std::string_view ToString(DeletedState state);  // "quarantined", ...

/// A deleted volume whose entries are still in the log.
struct DeletedVolume {
  std::string directory;
  DeletedState state = DeletedState::kQuarantined;
  PendingVolume space;
};

/// What a pool's memory is used for at one moment, beside its files.
struct SpaceReport {
  PoolFigures figures;                 // all fields
  std::vector<DeletedVolume> deleted;  // by directory
  std::vector<MediaExtent> promised;   // by no entry named, but not free
};

}  // namespace famfs
