#include "instance/deletion/host_table.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <thread>

#include "instance/devices/metadata_store.h"
#include "instance/log/layout.h"

namespace famfs {
namespace {

constexpr int kLoadRetries = 20;
constexpr int kEvictRounds = 20;
constexpr int kEvictChecks = 5;
constexpr std::chrono::milliseconds kEvictPause{2};

absl::StatusOr<std::optional<HostRecord>> LoadPair(const Mapping& head,
                                                   std::size_t row,
                                                   const Uuid& fs_uuid) {
  const std::size_t start = kRegionOffset + HostAt(row);
  std::array<std::byte, 2 * kLineSize> copies;
  head.Invalidate(start, copies.size());
  std::memcpy(copies.data(), head.data() + start, copies.size());
  // Whoever cannot be seen is there.
  FAMFS_RETURN_IF_ERROR(head.Check());
  return DecodeHost(copies, fs_uuid);
}

/// True when every row in question is marked.
bool MarkEvicted(Mapping& head, const Uuid& fs_uuid, const Uuid& host) {
  bool all_marked = true;
  for (const HostRow& row : LoadHosts(head, fs_uuid)) {
    if (row.damaged && host.is_nil()) {
      ClearLine(head, HostAt(row.row));
      ClearLine(head, HostAt(row.row) + kLineSize);
      all_marked = false;
    }
    if (row.damaged || row.record.host != host ||
        row.record.state != HostState::kLive) {
      continue;
    }
    HostRecord next = row.record;
    ++next.sequence;
    next.state = HostState::kEvicted;
    StoreHost(head, row.row, next, fs_uuid);
    all_marked = false;
  }
  return all_marked;
}

/// Promises of epochs that are over; those of the current one are its writer's.
bool ClearReservations(Layout& layout, const Uuid& host) {
  const auto state = layout.LoadState();
  if (!state.ok() || !state->has_value()) return false;
  bool cleared = false;
  Mapping& head = layout.head();
  for (std::size_t row = 0; row < kReservationRows; ++row) {
    const std::size_t at = kReservationsAt + row * kLineSize;
    head.Invalidate(kRegionOffset + at, kLineSize);
    const auto record =
        DecodeReservation(head.bytes().subspan(kRegionOffset + at, kLineSize),
                          layout.superblock().fs_uuid);
    if (!record.ok() || !record->has_value() || (*record)->holder != host ||
        (*record)->epoch >= (*state)->writer_epoch) {
      continue;
    }
    ClearLine(head, at);
    cleared = true;
  }
  return cleared;
}

}  // namespace

std::optional<HostRow> LoadHost(const Mapping& head, std::size_t row,
                                const Uuid& fs_uuid) {
  for (int attempt = 0; attempt < kLoadRetries; ++attempt) {
    if (attempt > 0) std::this_thread::yield();
    const auto record = LoadPair(head, row, fs_uuid);
    if (!record.ok()) continue;
    if (!record->has_value()) return std::nullopt;
    return HostRow{.row = row, .damaged = false, .record = **record};
  }
  return HostRow{.row = row, .damaged = true, .record = {}};
}

std::vector<HostRow> LoadHosts(const Mapping& head, const Uuid& fs_uuid) {
  std::vector<HostRow> rows;
  for (std::size_t row = 0; row < kHostRows; ++row) {
    if (auto found = LoadHost(head, row, fs_uuid)) rows.push_back(*found);
  }
  return rows;
}

absl::StatusOr<std::uint64_t> LoadBoot() {
  const char* const named = std::getenv("FAMFS_BOOT_ID_FILE");
  const bool given = named != nullptr && *named != '\0';
  return LoadBoot(given ? named : "/proc/sys/kernel/random/boot_id");
}

absl::StatusOr<std::uint64_t> LoadBoot(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text)) {
    return NotFound("{}: the boot id cannot be read", path);
  }
  const auto uuid = Uuid::Parse(text);
  if (!uuid.ok()) return Annotate(uuid.status(), path);
  std::uint64_t boot = 0;
  std::memcpy(&boot, uuid->bytes.data(), sizeof(boot));
  return boot;
}

std::string_view ToString(HostStanding standing) {
  switch (standing) {
    case HostStanding::kAcknowledged:
      return "acknowledged";
    case HostStanding::kBehind:
      return "behind";
    case HostStanding::kEvicted:
      return "evicted";
    case HostStanding::kStaleBoot:
      return "stale boot";
    case HostStanding::kDamaged:
      break;
  }
  return "damaged";
}

bool IsWaitedFor(const HostRow& row, const ThisHost& self) {
  if (row.damaged) return true;
  if (row.record.state != HostState::kLive) return false;
  const bool earlier_boot = self.boot != 0 && row.record.host == self.host &&
                            row.record.boot != self.boot;
  return !earlier_boot;
}

std::uint64_t LetGoByAll(const std::vector<HostRow>& rows,
                         const ThisHost& self) {
  std::uint64_t number = std::numeric_limits<std::uint64_t>::max();
  for (const HostRow& row : rows) {
    if (!IsWaitedFor(row, self)) continue;
    number = std::min(number, row.damaged ? 0 : row.record.acknowledged);
  }
  return number;
}

absl::Status EvictHost(DaxDevice& device, const Uuid& host) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  const Uuid& fs_uuid = layout.superblock().fs_uuid;
  bool found = ClearReservations(layout, host);
  // The host may be writing the row at the same time: the mark must stand.
  int standing = 0;
  for (int round = 0; round < kEvictRounds && standing < kEvictChecks;
       ++round) {
    if (MarkEvicted(layout.head(), fs_uuid, host)) {
      if (!found) break;
      ++standing;
    } else {
      found = true;
      standing = 0;
    }
    std::this_thread::sleep_for(kEvictPause);
  }
  FAMFS_RETURN_IF_ERROR(layout.Check());
  if (!found) {
    return NotFound(
        "{}: no server of the host {} is registered (famfs hosts lists them)",
        device.spec(), host.ToString());
  }
  if (standing < kEvictChecks) {
    return Unavailable(
        "{}: the host {} is alive and keeps its row; unmount there instead",
        device.spec(), host.ToString());
  }
  return absl::OkStatus();
}

}  // namespace famfs
