#include "instance/writer/promises.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "dax/use_mark.h"
#include "instance/deletion/space.h"

namespace famfs {
namespace {

/// Of a deleted volume that no host is waited for.
constexpr std::uint64_t kLetGo = ~std::uint64_t{0};

}  // namespace

absl::Status Promises::Make(std::span<const MediaExtent> extents, Rows& rows) {
  for (const MediaExtent& extent : extents) {
    const auto row = table_.Add(
        {.extent = extent, .holder = self_.host, .epoch = self_.epoch});
    if (!row.ok()) {
      End(rows);
      rows.clear();
      return row.status();
    }
    rows.push_back(*row);
  }
  return absl::OkStatus();
}

void Promises::End(const Rows& rows) {
  for (const std::size_t row : rows) table_.Clear(row);
}

void Promises::Retract(const Rows& rows) {
  for (const std::size_t row : rows) {
    table_.ClearIfOf(row, self_.host, self_.epoch);
  }
}

void Promises::EndLost(OwnedLog& log) {
  std::erase_if(lost_, [&](const Reservation& lost) {
    if (!table_.Stands(lost)) {
      table_.NoteCleared(lost.row);
    } else if (IsOver(lost.record)) {
      table_.Clear(lost.row);
    } else {
      return false;
    }
    if (lost_is_taken_.erase(lost.row) > 0) {
      IgnoreError(log.Free(lost.record.extent), "TakeUp took it");
    }
    return true;
  });
}

std::uint64_t Promises::lost_bytes() const {
  std::uint64_t bytes = 0;
  for (const Reservation& lost : lost_) {
    if (lost_is_taken_.contains(lost.row)) bytes += lost.record.extent.length;
  }
  return bytes;
}

bool Promises::IsOver(const ReservationRecord& promise) const {
  if (!self_.excludes_others || promise.holder != self_.host) return false;
  // A writer that keeps its locks elsewhere was not excluded by ours. Where
  // there are no marks, the lock has to do.
  return !IsMarked(*primary_, Use::kWriting, promise.epoch).value_or(false);
}

void Promises::TakeUp(Mapping& head, const Uuid& fs_uuid, OwnedLog& log) {
  table_ = Reservations(head, fs_uuid);
  for (const Reservation& row : LoadReservations(head, fs_uuid)) {
    TakeUp(row, log);
  }
}

/// A row that an earlier writer left. It may still be stored to, unless that
/// writer was of this host and is gone.
void Promises::TakeUp(const Reservation& row, OwnedLog& log) {
  const MediaExtent& extent = row.record.extent;
  const bool is_own = row.record.holder == self_.host;
  const LogPlayer& player = log.player();
  if (IsOver(row.record) || extent.device_index > player.devices().size()) {
    table_.Clear(row.row);
    return;
  }
  if (log.Take(extent).ok()) {
    lost_is_taken_.insert(row.row);
  } else if (std::none_of(player.pending().begin(), player.pending().end(),
                          [&](const auto& pending) {
                            return IsQuarantined(pending.second, kLetGo,
                                                 std::span(&row, 1));
                          })) {
    // A file covers it: the promise was kept, only its row was left.
    table_.Clear(row.row);
    return;
  }
  lost_.push_back(row);
  spdlog::warn(
      "{}: {} bytes at {:#x} stay reserved: the writer of epoch {} on {} "
      "promised them, and may still store there; {}",
      primary_->spec(), extent.length, extent.offset, row.record.epoch,
      is_own ? std::string("this host, which does not share this one's lock,")
             : fmt::format("the host {}", row.record.holder.ToString()),
      is_own ? "they come back when that process has ended"
             : "`famfs evict` gives them back when that host is dead");
}

}  // namespace famfs
