#include <algorithm>

#include "alloc/placement.h"
#include "base/text.h"
#include "instance/writer/writer.h"
#include "media/rules.h"

namespace famfs {
namespace {

/// Volumes and snapshots are named apart.
std::string NameKey(VolumeKind kind, const std::string& csi_name) {
  if (csi_name.empty()) return {};
  return static_cast<char>(kind) + csi_name;
}

}  // namespace

absl::Status Writer::CheckParentLocked(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return absl::OkStatus();
  const std::string_view parent_path = std::string_view(path).substr(0, slash);
  const Namespace& tree = player_->tree();
  const Node* parent = tree.FindDirectory(parent_path);
  if (parent == nullptr) {
    if (tree.FindPath(parent_path) != nullptr) {
      return FailedPrecondition("'{}' is a file, not a directory",
                                Printable(parent_path));
    }
    return NotFound("directory '{}' does not exist; make it first",
                    Printable(parent_path));
  }
  if (parent->is_meta) {
    return PermissionDenied("'{}' is the file system's own",
                            Printable(parent_path));
  }
  if (const Node* volume = tree.VolumeOf(parent->id); volume != nullptr) {
    return PermissionDenied(
        "'{}' lies in the volume '{}', whose files are fixed when it is made",
        Printable(path), Printable(volume->name));
  }
  return absl::OkStatus();
}

absl::Status Writer::CheckWantedLocked(const Wanted& wanted) const {
  FAMFS_RETURN_IF_ERROR(stopped_);
  FAMFS_RETURN_IF_ERROR(CheckPath(wanted.path));
  if (player_->PathInUse(wanted.path)) {
    const bool live = player_->tree().FindPath(wanted.path) != nullptr;
    return AlreadyExists("path '{}' {}", Printable(wanted.path),
                         live ? "exists" : "is that of a deleted volume");
  }
  FAMFS_RETURN_IF_ERROR(CheckParentLocked(wanted.path));
  if (claimed_paths_.contains(wanted.path)) {
    return Aborted("path '{}' is being made by another call",
                   Printable(wanted.path));
  }
  if (!wanted.is_volume) return absl::OkStatus();
  if (const Node* other =
          player_->tree().FindVolume(wanted.volume_name, wanted.kind);
      other != nullptr) {
    return AlreadyExists("the CSI name '{}' is that of the live volume '{}'",
                         Printable(wanted.volume_name), other->name);
  }
  if (claimed_names_.contains(NameKey(wanted.kind, wanted.volume_name))) {
    return Aborted("a volume with the CSI name '{}' is being made",
                   Printable(wanted.volume_name));
  }
  return absl::OkStatus();
}

absl::StatusOr<Writer::Claim> Writer::TakeClaimLocked(const Wanted& wanted) {
  const std::uint64_t used = player_->next_index() + claimed_slots_;
  if (used + wanted.slots + kStateSlots > SlotsLocked()) {
    return ResourceExhausted(
        "the log is full: {} of {} slots are used and {} stay reserved for "
        "deletions, but {} are needed; delete volumes, or make the file system "
        "anew with a longer log",
        used, SlotsLocked(), kStateSlots, wanted.slots);
  }
  Claim claim{.path = wanted.path,
              .name_key = NameKey(wanted.kind, wanted.volume_name),
              .slots = wanted.slots};
  if (wanted.size > 0) {
    FAMFS_RETURN_IF_ERROR(PlaceLocked(wanted, claim));
    FAMFS_RETURN_IF_ERROR(PromiseClaimLocked(wanted, claim));
  }
  claimed_slots_ += claim.slots;
  claimed_paths_.insert(claim.path);
  if (!claim.name_key.empty()) claimed_names_.insert(claim.name_key);
  return claim;
}

absl::Status Writer::PlaceLocked(const Wanted& wanted, Claim& claim) {
  FAMFS_ASSIGN_OR_RETURN(Placement placement, PlaceFileLocked(wanted));
  claim.extents = std::move(placement.extents);
  claim.chunk = placement.chunk;
  for (const MediaExtent& extent : claim.extents) {
    claim.devices.push_back(admitted_[extent.device_index]);
  }
  claimed_.insert(claimed_.end(), claim.extents.begin(), claim.extents.end());
  return absl::OkStatus();
}

void Writer::ForgetClaimLocked(const Claim& claim) {
  for (const MediaExtent& extent : claim.extents) {
    claimed_.erase(std::find(claimed_.begin(), claimed_.end(), extent));
  }
  claimed_slots_ -= claim.slots;
  claimed_paths_.erase(claim.path);
  claimed_names_.erase(claim.name_key);
}

absl::StatusOr<Writer::Claim> Writer::TryReserve(Wanted wanted) {
  Claim claim;
  if (wanted.size > 0) wanted.backings = AskBackings();
  {
    const WriterMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(CheckWantedLocked(wanted));
    // A stale writer must not litter its successor's free space. What takes no
    // space is looked at when it is published.
    if (wanted.size > 0) FAMFS_RETURN_IF_ERROR(CheckStillOwner());
    FAMFS_ASSIGN_OR_RETURN(claim, TakeClaimLocked(wanted));
  }
  FAMFS_RETURN_IF_ERROR(CreateExtents(claim));
  return claim;
}

/// On error the claim is given up.
absl::Status Writer::CreateExtents(Claim claim) {
  for (std::size_t i = 0; i < claim.extents.size(); ++i) {
    if (i < claim.is_zero.size() && claim.is_zero[i]) continue;
    const absl::Status made = CreateExtent(claim, i);
    if (made.ok()) continue;
    if (!absl::IsAlreadyExists(made)) {
      GiveUp(claim, i);
      return made;
    }
    // Something that the writer does not know of sits there. Its first unit
    // stays taken until the next open, so that the next attempt goes elsewhere.
    const MediaExtent in_use = claim.extents[i];
    {
      const WriterMutexLock lock(mutex_);
      claimed_.erase(std::find(claimed_.begin(), claimed_.end(), in_use));
      const auto at = static_cast<std::ptrdiff_t>(i);
      claim.extents.erase(claim.extents.begin() + at);
      claim.devices.erase(claim.devices.begin() + at);
      const MediaExtent rest{in_use.device_index, in_use.offset + kAllocUnit,
                             in_use.length - kAllocUnit};
      if (rest.length > 0) {
        IgnoreError(FreeLocked(rest), "it was allocated a moment ago");
      }
    }
    GiveUp(claim, i);
    return Internal("free space is in use: {}", Message(made));
  }
  return absl::OkStatus();
}

absl::StatusOr<Writer::Claim> Writer::Reserve(const Wanted& wanted) {
  FAMFS_RETURN_IF_ERROR(AdmitDevices());
  absl::StatusOr<Claim> claim = TryReserve(wanted);
  if (!absl::IsResourceExhausted(claim.status()) || !ReclaimHelps()) {
    return claim;
  }
  const absl::Status compacted = Reclaim();
  if (absl::IsResourceExhausted(compacted)) return claim;
  FAMFS_RETURN_IF_ERROR(compacted);
  return TryReserve(wanted);
}

absl::Status Writer::Publish(const Claim& claim,
                             std::span<MediaEntry> entries) {
  absl::Status status;
  for (std::size_t i = 0; i < claim.extents.size() && status.ok(); ++i) {
    status = CheckPlace(claim, i);
  }
  if (status.ok()) {
    const WriterMutexLock lock(mutex_);
    status = stopped_;
    if (status.ok()) status = Append(entries, claim.extents);
    if (status.ok()) EndPromisesLocked(claim);
    if (status.ok()) ForgetClaimLocked(claim);
  }
  if (!status.ok()) GiveUp(claim);
  return status;
}

void Writer::GiveUp(const Claim& claim, std::size_t created) {
  bool give_back = !claim.extents.empty();
  {
    // A writer that stopped does not know whether its entry counts, and one
    // that was overtaken not whose the extent is by now: it is the next
    // writer's to judge.
    const WriterMutexLock lock(mutex_);
    if (give_back && !CheckStillOwner().ok()) give_back = false;
  }
  std::vector<absl::Status> removed(claim.extents.size());
  for (std::size_t i = 0; give_back && i < claim.extents.size(); ++i) {
    if (i < created) removed[i] = RemoveExtent(claim.extents[i]);
  }
  const WriterMutexLock lock(mutex_);
  if (give_back) {
    EndPromisesLocked(claim);
  } else {
    RetractPromisesLocked(claim.promises);
  }
  for (std::size_t i = 0; give_back && i < claim.extents.size(); ++i) {
    if (removed[i].ok()) {
      IgnoreError(FreeLocked(claim.extents[i]), "the claim held it");
    } else {
      NoteStuckLocked(claim.extents[i], removed[i]);
    }
  }
  ForgetClaimLocked(claim);
  if (give_back) TakeReserveLocked();
}

}  // namespace famfs
