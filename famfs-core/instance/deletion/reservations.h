// The table of promised space in our region (media/region_tables.h), by row.
// Its user decides what a promise means; here rows are found, made live and
// cleared, each by one 8-byte store. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "media/region_tables.h"

namespace famfs {

struct Reservation {
  std::size_t row = 0;
  ReservationRecord record;
};

/// The rows of the table; damaged ones are left out and logged.
std::vector<Reservation> LoadReservations(const Mapping& head,
                                          const Uuid& fs_uuid);

class Reservations {
 public:
  Reservations() = default;
  /// Reads which rows are in use. `head` outlives this object.
  Reservations(Mapping& head, const Uuid& fs_uuid);

  /// Durable when it returns. ResourceExhausted when no row is free.
  absl::StatusOr<std::size_t> Add(const ReservationRecord& record);
  void Clear(std::size_t row);
  /// Only while the row is there and says this: for a holder whose rows another
  /// writer may have cleared, and used again.
  void ClearIfOf(std::size_t row, const Uuid& holder, std::uint64_t epoch);
  /// Whether the row still says so; another host may have cleared it.
  [[nodiscard]] bool Stands(const Reservation& reservation) const;
  /// Takes note that a row which Stands denied is free.
  void NoteCleared(std::size_t row) { free_.push_back(row); }

 private:
  Mapping* head_ = nullptr;
  Uuid fs_uuid_;
  std::vector<std::size_t> free_;  // rows; the last one is used next
};

}  // namespace famfs
