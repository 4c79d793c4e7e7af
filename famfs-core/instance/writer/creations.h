// Making something: reserve what it takes, then publish its entries, or give
// all of it up. Zeroing and creating the extents happens in between, so two
// creations do not wait for each other's memory.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "instance/writer/admission.h"
#include "instance/writer/claims.h"
#include "instance/writer/reclamation.h"
#include "instance/writer/writer_state.h"

namespace famfs {

class Creations {
 public:
  Creations(WriterState& state, Admission& admission, Reclamation& reclamation)
      : state_(state), admission_(admission), reclamation_(reclamation) {}

  /// Claims what is wanted, whose extents are there and zero then; reclaims
  /// first where there is no room otherwise. To be published or given up, once.
  absl::StatusOr<Claim> Reserve(const Wanted& wanted)
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Appends the entries, which name what was claimed. On error the claim is
  /// given up.
  absl::Status Publish(const Claim& claim, std::span<MediaEntry> entries)
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// The same with entries that are made, and appended, by `append`, under the
  /// state's lock.
  absl::Status PublishWith(const Claim& claim,
                           const std::function<absl::Status()>& append)
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Reserve, but nothing is reclaimed.
  absl::StatusOr<Claim> ReserveNow(const Wanted& wanted)
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  void GiveUp(const Claim& claim) ABSL_LOCKS_EXCLUDED(state_.mutex) {
    GiveUp(claim, claim.extents.size());
  }
  /// Writer::CheckStanding.
  absl::Status CheckStanding() { return admission_.CheckStanding(); }

 private:
  absl::StatusOr<Claim> TryReserve(Wanted wanted);
  absl::Status CheckWanted(const Wanted& wanted) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  absl::Status CheckParent(const std::string& path) const
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  /// That what tree volumes were promised stays free.
  absl::Status CheckPromises(const Wanted& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  absl::StatusOr<Claim> TakeClaim(const Wanted& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  absl::Status Promise(const Wanted& wanted, Claim& claim)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  /// On error the claim is given up.
  absl::Status CreateExtents(Claim claim);
  absl::Status CreateExtent(const Claim& claim, std::size_t i);
  /// Takes an extent out of the claim in whose place something lies.
  void LeaveOut(Claim& claim, std::size_t i);
  /// Unavailable when the device of the claim's extent is not the instance's
  /// any more.
  [[nodiscard]] absl::Status CheckPlace(const Claim& claim,
                                        std::size_t i) const;
  /// `created`: how many of its extents were created, the first ones.
  void GiveUp(const Claim& claim, std::size_t created);

  WriterState& state_;
  Admission& admission_;
  Reclamation& reclamation_;
};

}  // namespace famfs
