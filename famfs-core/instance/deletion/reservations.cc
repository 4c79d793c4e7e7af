#include "instance/deletion/reservations.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

constexpr std::size_t RowAt(std::size_t row) {
  return kReservationsAt + row * kLineSize;
}

absl::StatusOr<std::optional<ReservationRecord>> LoadRow(const Mapping& head,
                                                         std::size_t row,
                                                         const Uuid& fs_uuid) {
  const std::size_t start = kRegionOffset + RowAt(row);
  head.Invalidate(start, kLineSize);
  Line line;
  std::memcpy(line.data(), head.data() + start, kLineSize);
  return DecodeReservation(line, fs_uuid);
}

}  // namespace

std::vector<Reservation> LoadReservations(const Mapping& head,
                                          const Uuid& fs_uuid) {
  std::vector<Reservation> rows;
  for (std::size_t row = 0; row < kReservationRows; ++row) {
    const auto record = LoadRow(head, row, fs_uuid);
    if (!record.ok()) {
      spdlog::error("row {} of the reservations is ignored: {}", row,
                    Message(record.status()));
    } else if (record->has_value()) {
      rows.push_back({row, **record});
    }
  }
  return rows;
}

Reservations::Reservations(Mapping& head, const Uuid& fs_uuid)
    : head_(&head), fs_uuid_(fs_uuid) {
  for (std::size_t row = kReservationRows; row-- > 0;) {
    const auto record = LoadRow(head, row, fs_uuid);
    if (record.ok() && !record->has_value()) free_.push_back(row);
  }
}

absl::StatusOr<std::size_t> Reservations::Add(const ReservationRecord& record) {
  if (free_.empty()) {
    return ResourceExhausted(
        "all {} reservations are in use: too many files are being made at once",
        kReservationRows);
  }
  const std::size_t row = free_.back();
  free_.pop_back();
  StoreLine(*head_, RowAt(row), EncodeReservation(record, fs_uuid_));
  return row;
}

void Reservations::Clear(std::size_t row) {
  ClearLine(*head_, RowAt(row));
  free_.push_back(row);
}

void Reservations::ClearIfOf(std::size_t row, const Uuid& holder,
                             std::uint64_t epoch) {
  const auto record = LoadRow(*head_, row, fs_uuid_);
  if (!record.ok() || head_->lost() || !record->has_value() ||
      (*record)->holder != holder || (*record)->epoch != epoch) {
    return;
  }
  Clear(row);
}

bool Reservations::Stands(const Reservation& reservation) const {
  const auto record = LoadRow(*head_, reservation.row, fs_uuid_);
  // One that cannot be seen stands.
  return !record.ok() || head_->lost() ||
         (record->has_value() && **record == reservation.record);
}

}  // namespace famfs
