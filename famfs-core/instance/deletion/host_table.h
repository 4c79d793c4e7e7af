// The host table of our region, as whoever waits for the hosts sees it: which
// server sessions are registered, and how far each has let go of deleted
// volumes (docs/design.md §5, Delete). A host's own side:
// instance/deletion/host_session.h.
//
// A row is written by its host alone. The owner writes it once, to evict: the
// mappings of that host count no longer. That is safe only when the host is
// dead or has lost the memory; a living one goes on using bytes that become
// another volume's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "media/region_tables.h"

namespace famfs {

/// A row that is not absent.
struct HostRow {
  std::size_t row = 0;
  bool damaged = false;  // `record` says nothing then
  HostRecord record;
};

/// All of them, closed ones too. `head` maps [0, 2 MiB) of the device. A row
/// that is being written is looked at again before it counts as damaged.
std::vector<HostRow> LoadHosts(const Mapping& head, const Uuid& fs_uuid);
/// One row; nullopt when absent.
std::optional<HostRow> LoadHost(const Mapping& head, std::size_t row,
                                const Uuid& fs_uuid);

/// Who looks: of its own host it knows that an earlier boot is over.
struct ThisHost {
  Uuid host;
  std::uint64_t boot = 0;  // 0: not known
};

/// The first 8 bytes of a uuid: of /proc/sys/kernel/random/boot_id, or of the
/// file that the environment variable FAMFS_BOOT_ID_FILE names.
absl::StatusOr<std::uint64_t> LoadBoot();
absl::StatusOr<std::uint64_t> LoadBoot(const std::string& path);

enum class HostStanding {
  kAcknowledged,  // has let go of everything that was deleted
  kBehind,        // has not: deleted volumes wait for it
  kEvicted,       // waited for no longer
  kStaleBoot,     // of an earlier boot of the host that looks
  kDamaged,       // the row cannot be read: everything waits
};
std::string_view ToString(HostStanding standing);  // "acknowledged", ...

/// One registered session; a host has one for each mount.
struct HostStatus {
  Uuid host;  // nil: damaged
  std::uint64_t boot = 0;
  std::uint32_t session = 0;
  HostStanding standing = HostStanding::kBehind;
  std::uint64_t acknowledged = 0;  // highest deletion number let go of
  /// Bytes of deleted volumes that wait for this session (and may wait for
  /// others, too).
  std::uint64_t waiting_bytes = 0;
};

/// Whether deleted space waits for this row.
bool IsWaitedFor(const HostRow& row, const ThisHost& self);
/// Deletions up to this number wait for nobody; 0: all wait; the highest
/// number: none does.
std::uint64_t LetGoByAll(const std::vector<HostRow>& rows,
                         const ThisHost& self);

/// Marks every live session of the host. `host` nil: clears the damaged rows.
/// NotFound when it has none. Needs no Writer and takes no lock, so it works
/// beside a controller, which goes on within its interval; reservations of a
/// lost epoch that the host holds end with it. Unavailable when the host keeps
/// overwriting the mark (it is alive: unmount there instead).
[[nodiscard]] absl::Status EvictHost(DaxDevice& device, const Uuid& host);

}  // namespace famfs
