// Space that is promised in our region's table (media/region_tables.h), so that
// a writer which takes over does not hand it out while its holder may still
// store there: our own, of files that are made and volumes that are scrubbed,
// and what the writers of earlier epochs left behind (lost ones).
//
// Where each extent is a file of its own nothing is ever promised.
//
// Not thread-safe: WriterState::mutex guards it.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "dax/device.h"
#include "instance/deletion/reservations.h"
#include "instance/writer/owned_log.h"

namespace famfs {

/// Who promises: a writer's host and epoch.
struct Promiser {
  Uuid host;
  std::uint64_t epoch = 0;
  bool excludes_others = false;  // on its host: it holds a WriterLock
};

class Promises {
 public:
  using Rows = std::vector<std::size_t>;

  Promises(std::shared_ptr<DaxDevice> primary, const Promiser& self)
      : primary_(std::move(primary)), self_(self) {}

  /// When opening: takes up the rows that earlier writers left, and takes in
  /// `log` what they cover and no entry names. `head` outlives this object.
  void TakeUp(Mapping& head, const Uuid& fs_uuid, OwnedLog& log);

  /// Adds a row for each extent, and to `rows` which. None was added after an
  /// error: ResourceExhausted when the rows run out.
  absl::Status Make(std::span<const MediaExtent> extents, Rows& rows);
  /// Nothing is stored there any more.
  void End(const Rows& rows);
  /// The same by a writer that stopped: rows that still are its own.
  void Retract(const Rows& rows);

  /// Lost ones whose holder gave them up, or lost them by eviction or by its
  /// end, are lost no longer, and the space that they took is free in `log`.
  void EndLost(OwnedLog& log);
  /// Of epochs that are over; their holders may still store there.
  [[nodiscard]] const std::vector<Reservation>& lost() const { return lost_; }
  /// Bytes that are taken by lost ones alone.
  [[nodiscard]] std::uint64_t lost_bytes() const;

 private:
  /// Whether nobody stores there any more: a writer of this host that is gone.
  [[nodiscard]] bool IsOver(const ReservationRecord& promise) const;
  void TakeUp(const Reservation& row, OwnedLog& log);

  std::shared_ptr<DaxDevice> primary_;
  Promiser self_;
  Reservations table_;
  std::vector<Reservation> lost_;
  // Rows of lost ones whose space they take themselves; that of the others is
  // pending.
  absl::flat_hash_set<std::size_t> lost_is_taken_;
};

}  // namespace famfs
