#include "instance/writer/compactor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

#include "base/units.h"
#include "instance/log/compaction.h"
#include "instance/writer/done_notes.h"

namespace famfs {
namespace {

absl::Status NoRoomForImage(std::uint64_t length) {
  return ResourceExhausted(
      "a compaction needs {} of free space for the new log, and there is none",
      FormatSize(length));
}

}  // namespace

bool Compactor::Helps() const {
  const ReaderMutexLock lock(state_.mutex);
  return state_.CompactionHelps();
}

absl::Status Compactor::Compact() {
  const MutexLock one(mutex_);
  RemoveStuck();
  OwnedLog::Dropped dropped;
  {
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.stopped());
    if (state_.log.Droppable(state_.Released().size()) == 0) {
      return absl::OkStatus();
    }
    FAMFS_ASSIGN_OR_RETURN(dropped, Rewrite());
    state_.dying = dropped.extents;
  }
  // No entry names them any more. Freeing pages takes its time, and nobody has
  // to wait for that but who needs the space.
  RemoveNodeFiles(dropped.node_files);
  const std::vector<MediaExtent>& dead = dropped.extents;
  std::vector<absl::Status> removed;
  for (const MediaExtent& extent : dead) {
    removed.push_back(state_.RemoveExtent(extent));
  }
  const WriterMutexLock lock(state_.mutex);
  for (std::size_t i = 0; i < dead.size(); ++i) {
    if (removed[i].ok()) {
      IgnoreError(state_.log.Free(dead[i]), "OwnedLog::Forget took it");
    } else {
      state_.NoteStuck(dead[i], removed[i]);
    }
  }
  state_.dying.clear();
  state_.TakeReserve();
  return absl::OkStatus();
}

void Compactor::RemoveNodeFiles(const std::vector<std::string>& names) {
  if (!state_.device->capabilities().has_node_files) return;
  for (const std::string& name : names) {
    const absl::Status removed = state_.device->RemoveNodeFile(name);
    if (removed.ok()) continue;
    spdlog::warn("{}: {} stays until the next opening: {}",
                 state_.device->spec(), name, Message(removed));
  }
}

void Compactor::RemoveStuck() {
  std::vector<MediaExtent> stuck;
  {
    const WriterMutexLock lock(state_.mutex);
    if (state_.stuck.empty() || !state_.log.CheckStillOwner().ok()) return;
    stuck = state_.stuck;
  }
  for (const MediaExtent& extent : stuck) {
    if (!state_.RemoveExtent(extent).ok()) continue;  // it was told
    const WriterMutexLock lock(state_.mutex);
    state_.stuck.erase(
        std::find(state_.stuck.begin(), state_.stuck.end(), extent));
    IgnoreError(state_.log.Free(extent), "it was taken when it got stuck");
    spdlog::info("{}: {} of deleted space that could not be removed came back",
                 state_.device->spec(), FormatSize(extent.length));
  }
}

absl::StatusOr<OwnedLog::Dropped> Compactor::Rewrite() {
  OwnedLog& log = state_.log;
  const std::uint64_t entries = log.entries();
  const absl::flat_hash_set<std::string> drop = state_.Released();
  FAMFS_ASSIGN_OR_RETURN(const LogImage image, log.MakeImage(drop));
  if (image.entries == entries) return OwnedLog::Dropped{};
  Range place;
  FAMFS_ASSIGN_OR_RETURN(const auto mapping,
                         PlaceImage(image.extent_length(), place));
  mapping->Store(0, image.bytes);
  mapping->WriteBack(0, image.bytes.size());
  FAMFS_RETURN_IF_ERROR(mapping->Check());
  DoneNotes::KeepAll(state_);  // the log is about to forget it
  FAMFS_RETURN_IF_ERROR(log.Rewrite(image, place));
  OwnedLog::Dropped dead = log.Forget(drop, image);
  state_.scrubbed.Drop(drop);
  if (const absl::Status removed = state_.device->RemoveExtent(place.offset);
      !removed.ok()) {
    spdlog::warn("{}: the compaction's image stays: {}", state_.device->spec(),
                 Message(removed));
  }
  FAMFS_RETURN_IF_ERROR(log.CheckStillOwner());
  spdlog::info("{}: compacted the log from {} to {} entries",
               state_.device->spec(), entries, image.entries);
  return dead;
}

absl::StatusOr<std::unique_ptr<Mapping>> Compactor::PlaceImage(
    std::uint64_t length, Range& place) {
  const std::shared_ptr<DaxDevice>& device = state_.device;
  if (state_.reserve) {
    place = {state_.reserve->offset, length};
    // What an earlier image left there, if anything, is nobody's.
    const bool allocates = device->capabilities().allocates_extents;
    absl::Status made;
    if (allocates) made = device->RemoveExtent(place.offset);
    if (allocates && made.ok()) made = device->CreateExtent(place);
    if (made.ok()) return device->Map(place.offset, length, Access::kReadWrite);
    if (!absl::IsResourceExhausted(made)) return made;
  }
  if (state_.WaitsForHosts()) return PlaceImageInScrubbed(length, place);
  for (const Range& dead : state_.log.player().PendingOn(0)) {
    if (dead.length < length) continue;
    // The volume is deleted and no entry of a live one names its extent; who
    // still maps the old file keeps it.
    place = {dead.offset, length};
    if (!device->RemoveExtent(dead.offset).ok()) continue;  // another one may
    FAMFS_RETURN_IF_ERROR(device->CreateExtent(place));
    return device->Map(place.offset, length, Access::kReadWrite);
  }
  return NoRoomForImage(length);
}

/// In space that this compaction frees: no host has it any more. What the image
/// leaves there is no longer zero.
absl::StatusOr<std::unique_ptr<Mapping>> Compactor::PlaceImageInScrubbed(
    std::uint64_t length, Range& place) {
  const std::optional<Range> found =
      state_.scrubbed.FindOnPrimary(length, state_.log.player().pending());
  if (!found) return NoRoomForImage(length);
  place = *found;
  state_.scrubbed.Forget({0, place.offset, length});
  return state_.device->Map(place.offset, length, Access::kReadWrite);
}

}  // namespace famfs
