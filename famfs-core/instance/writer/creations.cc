#include "instance/writer/creations.h"

#include "base/text.h"
#include "base/units.h"
#include "instance/log/tree_promises.h"
#include "instance/writer/placing.h"
#include "instance/writer/writer_options.h"
#include "media/rules.h"

namespace famfs {

absl::Status Creations::CheckParent(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return absl::OkStatus();
  const std::string_view parent_path = std::string_view(path).substr(0, slash);
  const Namespace& tree = state_.log.tree();
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

absl::Status Creations::CheckWanted(const Wanted& wanted) const {
  FAMFS_RETURN_IF_ERROR(state_.log.stopped());
  FAMFS_RETURN_IF_ERROR(CheckPath(wanted.path));
  if (wanted.is_piece) return state_.claims.CheckPathIsFree(wanted.path);
  if (state_.log.player().PathInUse(wanted.path)) {
    const bool live = state_.log.tree().FindPath(wanted.path) != nullptr;
    return AlreadyExists("path '{}' {}", Printable(wanted.path),
                         live ? "exists" : "is that of a deleted volume");
  }
  FAMFS_RETURN_IF_ERROR(CheckParent(wanted.path));
  FAMFS_RETURN_IF_ERROR(state_.claims.CheckPathIsFree(wanted.path));
  if (!wanted.is_volume) return absl::OkStatus();
  if (const Node* other =
          state_.log.tree().FindVolume(wanted.volume_name, wanted.kind);
      other != nullptr) {
    return AlreadyExists("the CSI name '{}' is that of the live volume '{}'",
                         Printable(wanted.volume_name), other->name);
  }
  return state_.claims.CheckNameIsFree(wanted.kind, wanted.volume_name);
}

absl::Status Creations::CheckPromises(const Wanted& wanted) {
  // A piece is of its volume's own promise, which its maker looks at.
  if (wanted.is_piece) return absl::OkStatus();
  TreePromise needed = OutstandingPromises(state_.log.player());
  if (needed.bytes == 0 && wanted.promise == 0) return absl::OkStatus();
  const TreePromise own{
      .bytes = wanted.promise,
      .slots = wanted.promise > 0 ? TreeSlots(wanted.promise) : 0};
  needed =
      needed + own +
      TreePromise{.bytes = wanted.size, .slots = wanted.slots + kStateSlots};
  const std::uint64_t left = state_.log.slots() - state_.UsedSlots();
  if (needed.slots > left) {
    return ResourceExhausted(
        "the log has {} slots left, and {} would be promised to tree volumes; "
        "delete volumes, or make the file system anew with a longer log",
        left, needed.slots);
  }
  // What takes no memory leaves all of it; nor was it asked for.
  if (wanted.size == 0 && wanted.promise == 0) return absl::OkStatus();
  const std::uint64_t room = RoomFor(state_, wanted.backings);
  if (needed.bytes <= room) return absl::OkStatus();
  return ResourceExhausted(
      "{} are free, and {} would be promised to tree volumes and this one",
      FormatSize(room), FormatSize(needed.bytes));
}

absl::StatusOr<Claim> Creations::TakeClaim(const Wanted& wanted) {
  const std::uint64_t used = state_.UsedSlots();
  const std::uint64_t slots = state_.log.slots();
  if (used + wanted.slots + kStateSlots > slots) {
    return ResourceExhausted(
        "the log is full: {} of {} slots are used and {} stay reserved for "
        "deletions, but {} are needed; delete volumes, or make the file system "
        "anew with a longer log",
        used, slots, kStateSlots, wanted.slots);
  }
  FAMFS_RETURN_IF_ERROR(CheckPromises(wanted));
  Claim claim{.path = wanted.path,
              .name_key = NameKey(wanted.kind, wanted.volume_name),
              .slots = wanted.slots,
              .makes_extents = !wanted.is_piece ||
                               !state_.device->capabilities().has_node_files};
  if (wanted.size > 0) {
    FAMFS_ASSIGN_OR_RETURN(Placement placement, PlaceFile(state_, wanted));
    claim.extents = std::move(placement.extents);
    claim.chunk = placement.chunk;
    for (const MediaExtent& extent : claim.extents) {
      claim.devices.push_back(state_.admitted[extent.device_index]);
    }
    FAMFS_RETURN_IF_ERROR(Promise(wanted, claim));
  }
  state_.claims.Add(claim);
  return claim;
}

/// The space of a new claim: no longer clean, and promised unless nothing will
/// be stored there. On error it is free again.
absl::Status Creations::Promise(const Wanted& wanted, Claim& claim) {
  if (!state_.WaitsForHosts()) return absl::OkStatus();
  std::vector<MediaExtent> to_store;
  for (const MediaExtent& extent : claim.extents) {
    const bool clean = state_.scrubbed.clean().Covers(extent);
    state_.scrubbed.Forget(extent);
    claim.is_zero.push_back(clean);
    if (!clean || wanted.to_fill) to_store.push_back(extent);
  }
  absl::Status promised = state_.promises.Make(to_store, claim.promises);
  if (promised.ok()) return promised;
  for (const MediaExtent& extent : claim.extents) {
    IgnoreError(state_.log.Free(extent), "it was allocated a moment ago");
  }
  return promised;
}

absl::StatusOr<Claim> Creations::TryReserve(Wanted wanted) {
  Claim claim;
  if (wanted.size + wanted.promise > 0) wanted.backings = AskBackings(state_);
  {
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(CheckWanted(wanted));
    // A stale writer must not litter its successor's free space. What takes no
    // space is looked at when it is published.
    if (wanted.size > 0) FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
    FAMFS_ASSIGN_OR_RETURN(claim, TakeClaim(wanted));
  }
  FAMFS_RETURN_IF_ERROR(CreateExtents(claim));
  return claim;
}

absl::Status Creations::CheckPlace(const Claim& claim, std::size_t i) const {
  const std::uint64_t index = claim.extents[i].device_index;
  FAMFS_ASSIGN_OR_RETURN(const auto device, state_.devices->At(index));
  if (device == claim.devices[i]) return absl::OkStatus();
  return Unavailable(
      "device {} of the instance was away for a while; try again", index);
}

absl::Status Creations::CreateExtent(const Claim& claim, std::size_t i) {
  FAMFS_RETURN_IF_ERROR(CheckPlace(claim, i));
  const MediaExtent& extent = claim.extents[i];
  return claim.devices[i]->CreateExtent({extent.offset, extent.length});
}

absl::Status Creations::CreateExtents(Claim claim) {
  if (!claim.makes_extents) return absl::OkStatus();
  for (std::size_t i = 0; i < claim.extents.size(); ++i) {
    if (i < claim.is_zero.size() && claim.is_zero[i]) continue;
    absl::Status made = CreateExtent(claim, i);
    if (made.ok()) continue;
    if (!absl::IsAlreadyExists(made)) {
      GiveUp(claim, i);
      return made;
    }
    LeaveOut(claim, i);
    GiveUp(claim, i);
    return Internal("free space is in use: {}", Message(made));
  }
  return absl::OkStatus();
}

/// Something that the writer does not know of sits there. Its first unit stays
/// taken until the next open, so that the next attempt goes elsewhere.
void Creations::LeaveOut(Claim& claim, std::size_t i) {
  const MediaExtent in_use = claim.extents[i];
  const auto at = static_cast<std::ptrdiff_t>(i);
  claim.extents.erase(claim.extents.begin() + at);
  claim.devices.erase(claim.devices.begin() + at);
  const MediaExtent rest{in_use.device_index, in_use.offset + kAllocUnit,
                         in_use.length - kAllocUnit};
  const WriterMutexLock lock(state_.mutex);
  state_.claims.RemoveExtent(in_use);
  if (rest.length > 0) {
    IgnoreError(state_.log.Free(rest), "it was allocated a moment ago");
  }
}

absl::StatusOr<Claim> Creations::ReserveNow(const Wanted& wanted) {
  FAMFS_RETURN_IF_ERROR(admission_.Admit());
  return TryReserve(wanted);
}

absl::StatusOr<Claim> Creations::Reserve(const Wanted& wanted) {
  absl::StatusOr<Claim> claim = ReserveNow(wanted);
  if (!absl::IsResourceExhausted(claim.status()) || !reclamation_.Helps()) {
    return claim;
  }
  // What one volume cannot be scrubbed for may not be what is short.
  const absl::Status reclaimed = reclamation_.Run();
  absl::StatusOr<Claim> again = TryReserve(wanted);
  if (again.ok() || reclaimed.ok() || absl::IsResourceExhausted(reclaimed)) {
    return again;
  }
  return reclaimed;
}

absl::Status Creations::Publish(const Claim& claim,
                                std::span<MediaEntry> entries) {
  return PublishWith(claim, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return state_.log.Append(entries, claim.extents);
  });
}

absl::Status Creations::PublishWith(
    const Claim& claim, const std::function<absl::Status()>& append) {
  absl::Status status;
  for (std::size_t i = 0; i < claim.extents.size() && status.ok(); ++i) {
    status = CheckPlace(claim, i);
  }
  if (status.ok()) {
    const WriterMutexLock lock(state_.mutex);
    status = state_.log.stopped();
    if (status.ok()) status = append();
    if (status.ok()) state_.promises.End(claim.promises);
    if (status.ok()) state_.claims.Remove(claim);
  }
  if (!status.ok()) GiveUp(claim);
  return status;
}

void Creations::GiveUp(const Claim& claim, std::size_t created) {
  bool give_back = !claim.extents.empty();
  if (give_back) {
    // A writer that stopped does not know whether its entry counts, and one
    // that was overtaken not whose the extent is by now: it is the next
    // writer's to judge.
    const WriterMutexLock lock(state_.mutex);
    give_back = state_.log.CheckStillOwner().ok();
  }
  std::vector<absl::Status> removed(claim.extents.size());
  for (std::size_t i = 0; give_back && i < created; ++i) {
    removed[i] = state_.RemoveExtent(claim.extents[i]);
  }
  const WriterMutexLock lock(state_.mutex);
  if (give_back) {
    state_.promises.End(claim.promises);
  } else {
    state_.promises.Retract(claim.promises);
  }
  for (std::size_t i = 0; give_back && i < claim.extents.size(); ++i) {
    if (removed[i].ok()) {
      IgnoreError(state_.log.Free(claim.extents[i]), "the claim held it");
    } else {
      state_.NoteStuck(claim.extents[i], removed[i]);
    }
  }
  state_.claims.Remove(claim);
  if (give_back) state_.TakeReserve();
}

}  // namespace famfs
