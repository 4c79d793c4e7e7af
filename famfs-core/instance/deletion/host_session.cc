#include "instance/deletion/host_session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "instance/devices/metadata_store.h"
#include "media/checksum.h"

namespace famfs {
namespace {

// A row counts as ours when it stood this many looks after it was written.
constexpr int kLooks = 3;
constexpr std::chrono::microseconds kBetweenLooks{500};
constexpr int kWritesOfOneRow = 3;

std::size_t FirstRow(const HostRecord& record) {
  std::array<std::byte, sizeof(Uuid) + sizeof(record.session)> key;
  std::memcpy(key.data(), record.host.bytes.data(), sizeof(Uuid));
  std::memcpy(key.data() + sizeof(Uuid), &record.session,
              sizeof(record.session));
  return Crc32(key) % kHostRows;
}

}  // namespace

HostSession::HostSession(Layout layout, UseMark mark,
                         const HostIdentity& identity, FindGone find_gone)
    : layout_(std::move(layout)),
      mark_(std::move(mark)),
      find_gone_(std::move(find_gone)),
      session_(identity.session),
      record_{.session = identity.session,
              .host = identity.host,
              .boot = identity.boot,
              .connection = identity.connection,
              .marked = mark_.held()} {}

absl::StatusOr<std::unique_ptr<HostSession>> HostSession::Register(
    DaxDevice& device, const HostIdentity& identity, FindGone find_gone) {
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::Open(device, Access::kReadWrite));
  // Before the row: who finds that without its mark closes it.
  auto mark = UseMark::Set(device, Use::kServing, identity.session);
  std::unique_ptr<HostSession> session(new HostSession(
      std::move(layout), mark.ok() ? *std::move(mark) : UseMark(), identity,
      std::move(find_gone)));
  session->ClosePredecessors();
  if (const absl::Status taken = session->TakeRow(); !taken.ok()) {
    return Annotate(taken, device.spec());
  }
  return session;
}

/// Of a row of this host; nullopt: its connection decides.
std::optional<bool> HostSession::HasEnded(const HostRecord& record) const {
  if (record.boot != record_.boot) return true;
  if (record.marked) {
    // Also where the connection has gone: a process that lives may be storing.
    const auto lives = mark_.SeesAnother(Use::kServing, record.session);
    if (lives) return !*lives;
  }
  if (record.connection == 0) return std::nullopt;
  // What has our own minor is over: the kernel gave it to us.
  if (record.connection == record_.connection) return true;
  return std::nullopt;
}

void HostSession::ClosePredecessors() {
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  std::vector<HostRow> over;
  std::vector<HostRow> in_question;
  std::vector<HostRecord> asked;
  for (const HostRow& row : LoadHosts(layout_.head(), fs_uuid)) {
    const HostRecord& record = row.record;
    if (row.damaged || record.host != record_.host ||
        record.state == HostState::kClosed || IsOurs(row)) {
      continue;
    }
    const std::optional<bool> ended = HasEnded(record);
    if (ended.value_or(false)) {
      over.push_back(row);
      continue;
    }
    in_question.push_back(row);
    if (!ended && record.connection != 0) asked.push_back(record);
  }
  const std::vector<std::uint32_t> gone =
      find_gone_ ? find_gone_(asked) : std::vector<std::uint32_t>{};
  for (const HostRow& row : in_question) {
    if (std::count(gone.begin(), gone.end(), row.record.session) > 0) {
      over.push_back(row);
    }
  }
  for (const HostRow& row : over) {
    HostRecord next = row.record;
    // It may have left a moment ago, and the row be somebody's.
    const auto now = LoadHost(layout_.head(), row.row, fs_uuid);
    if (!now || now->damaged || now->record.sequence != next.sequence) continue;
    ++next.sequence;
    next.state = HostState::kClosed;
    StoreHost(layout_.head(), row.row, next, fs_uuid);
    spdlog::info("closed the host row of a session that is over ({:08x})",
                 next.session);
  }
}

bool HostSession::IsOurs(const std::optional<HostRow>& found) const {
  return found && !found->damaged && found->record.host == record_.host &&
         found->record.boot == record_.boot &&
         found->record.session == record_.session;
}

/// Takes the row if it is free.
bool HostSession::TryRow(std::size_t row, bool also_evicted) {
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  for (int write = 0; write < kWritesOfOneRow; ++write) {
    const auto before = LoadHost(layout_.head(), row, fs_uuid);
    // Damage may be what two hosts left that wrote at the same time, ours one
    // of them; on the first look it is somebody's row.
    const bool is_free =
        !before || (before->damaged && write > 0) ||
        (!before->damaged &&
         (before->record.state == HostState::kClosed ||
          (also_evicted && before->record.state == HostState::kEvicted)));
    if (!is_free) return false;
    record_.sequence =
        before && !before->damaged ? before->record.sequence + 1 : 2;
    StoreHost(layout_.head(), row, record_, fs_uuid);
    bool stands = true;
    for (int look = 0; look < kLooks && stands; ++look) {
      std::this_thread::sleep_for(kBetweenLooks);
      const auto found = LoadHost(layout_.head(), row, fs_uuid);
      stands = IsOurs(found);
      if (!stands && found && !found->damaged) return false;
    }
    if (stands) return true;
    // Not in step with the other one.
    std::this_thread::sleep_for(kBetweenLooks * (record_.session % 7));
  }
  return false;
}

absl::Status HostSession::TakeRow() {
  const std::size_t first = FirstRow(record_);
  stood_ = false;
  // The mark of an eviction stays as long as there is room.
  for (const bool also_evicted : {false, true}) {
    for (std::size_t i = 0; i < kHostRows; ++i) {
      FAMFS_RETURN_IF_ERROR(layout_.identity().CheckSuperblock());
      row_ = (first + i) % kHostRows;
      FAMFS_RETURN_IF_ERROR(layout_.Check());
      if (!TryRow(row_, also_evicted)) continue;
      standing_row_ = row_;
      return absl::OkStatus();
    }
  }
  return ResourceExhausted(
      "all {} rows of the host table are in use; those of hosts that are gone "
      "end when they mount again and unmount, or by famfs evict (famfs hosts "
      "lists them)",
      kHostRows);
}

absl::Status HostSession::EndEvicted() {
  const bool known = evicted_.exchange(true);
  standing_row_ = kHostRows;  // after it: who sees this asks for that
  if (!known) {
    spdlog::error(
        "this host was evicted from the file system: new opens are refused "
        "with EIO, because deleted space no longer waits for this mount; "
        "unmount it everywhere and mount it again");
  }
  return PermissionDenied(
      "this host was evicted; unmount the file system and mount it again");
}

absl::Status HostSession::Check() {
  FAMFS_RETURN_IF_ERROR(layout_.Renew());
  if (const absl::Status same = layout_.identity().Check(); !same.ok()) {
    standing_row_ = kHostRows;
    return same;
  }
  if (evicted_) return EndEvicted();
  const auto found =
      LoadHost(layout_.head(), row_, layout_.superblock().fs_uuid);
  FAMFS_RETURN_IF_ERROR(layout_.Check());
  if (IsOurs(found)) {
    if (found->record.state != HostState::kLive) return EndEvicted();
    stood_ = true;
    standing_row_ = row_;  // again, after the device was out of reach
    return absl::OkStatus();
  }
  if (stood_ && found && !found->damaged) return EndEvicted();
  standing_row_ = kHostRows;
  spdlog::warn("host row {} was lost to another host; taking another one",
               row_);
  return TakeRow();
}

absl::Status HostSession::Acknowledge(std::uint64_t number) {
  FAMFS_RETURN_IF_ERROR(Check());
  if (number <= record_.acknowledged) return absl::OkStatus();
  HostRecord next = record_;
  next.acknowledged = number;
  ++next.sequence;
  StoreHost(layout_.head(), row_, next, layout_.superblock().fs_uuid);
  // What did not get there is stored again in a later round.
  FAMFS_RETURN_IF_ERROR(layout_.Check());
  record_ = next;
  return absl::OkStatus();
}

void HostSession::CloseRow() {
  if (!layout_.identity().Check().ok()) return;
  const auto found =
      LoadHost(layout_.head(), row_, layout_.superblock().fs_uuid);
  if (!IsOurs(found)) return;
  record_.sequence = found->record.sequence + 1;
  record_.state = HostState::kClosed;
  StoreHost(layout_.head(), row_, record_, layout_.superblock().fs_uuid);
}

void HostSession::Close() {
  standing_row_ = kHostRows;
  CloseRow();
  mark_ = UseMark();
}

}  // namespace famfs
