#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

#include "base/units.h"
#include "instance/devices/metadata_store.h"
#include "instance/log/compaction.h"
#include "instance/writer/writer.h"
#include "media/checksum.h"

namespace famfs {
namespace {

std::uint64_t LastCrc(const LogImage& image) {
  if (image.entries == 0) return 0;
  MediaEntry last{};
  std::memcpy(&last, image.bytes.data() + EntryAt(image.entries - 1),
              sizeof(last));
  return last.crc;
}

}  // namespace

std::uint64_t Writer::SlotsLocked() const {
  return LastIndex(layout_.superblock().log_length) + 1;
}

std::uint64_t Writer::DroppableLocked() const {
  const std::size_t released = ReleasedLocked().size();
  // Of a part of the dead volumes, at least the entries that made them.
  if (released < player_->pending().size()) return superseded_ + released;
  if (released == 0) return superseded_;
  const std::uint64_t kept =
      player_->tree().size() - base_nodes_ + player_->devices().size();
  return player_->next_index() - kept;
}

/// Where each extent is a file of its own, a removed one lives on for who maps
/// it: nobody has to be asked. Elsewhere, what is scrubbed.
absl::flat_hash_set<std::string> Writer::ReleasedLocked() const {
  if (WaitsForHosts()) return scrubbed_;
  absl::flat_hash_set<std::string> released;
  for (const auto& [directory, volume] : player_->pending()) {
    if (IsPresentLocked(volume)) released.insert(directory);
  }
  return released;
}

bool Writer::CompactionHelps() const {
  const ReaderMutexLock lock(mutex_);
  return DroppableLocked() > 0 || !dying_.empty() || !stuck_.empty();
}

absl::Status Writer::Compact() {
  const std::lock_guard one(compact_mutex_);
  RemoveStuck();
  std::vector<MediaExtent> dead;
  {
    const WriterMutexLock lock(mutex_);
    FAMFS_RETURN_IF_ERROR(stopped_);
    if (DroppableLocked() == 0) return absl::OkStatus();
    FAMFS_ASSIGN_OR_RETURN(dead, CompactLocked());
    dying_ = dead;
  }
  // No entry names them any more. Freeing pages takes its time, and nobody has
  // to wait for that but who needs the space.
  std::vector<absl::Status> removed;
  for (const MediaExtent& extent : dead) {
    removed.push_back(RemoveExtent(extent));
  }
  const WriterMutexLock lock(mutex_);
  for (std::size_t i = 0; i < dead.size(); ++i) {
    if (removed[i].ok()) {
      IgnoreError(FreeLocked(dead[i]), "it was taken by CompactLocked");
    } else {
      NoteStuckLocked(dead[i], removed[i]);
    }
  }
  dying_.clear();
  TakeReserveLocked();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<MediaExtent>> Writer::CompactLocked() {
  const std::uint64_t entries = player_->next_index();
  const absl::flat_hash_set<std::string> drop = ReleasedLocked();
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  FAMFS_RETURN_IF_ERROR(CheckStillWhole(layout_.log().bytes(), entries));
  const LogImage image = MakeLogImage(
      layout_.log().bytes(), {.log_length = layout_.superblock().log_length,
                              .entries = entries,
                              .drop = &drop});
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  if (image.entries == entries) return std::vector<MediaExtent>{};
  Range place;
  FAMFS_ASSIGN_OR_RETURN(const auto mapping,
                         PlaceImageLocked(image.extent_length(), place));
  mapping->Store(0, image.bytes);
  mapping->WriteBack(0, image.bytes.size());
  FAMFS_RETURN_IF_ERROR(mapping->Check());
  // From here on nothing fails but where memory is missing, which is as a crash
  // is: each store is written back before the next, and Open completes what was
  // interrupted.
  SetCompaction({.generation = state_.generation + 1,
                 .offset = place.offset,
                 .length = image.bytes.size(),
                 .image_crc = Crc32(image.bytes)});
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  StoreCompactingHeader(layout_.log());
  IgnoreError(RewriteLog(layout_.log(), image, entries), "CheckMemory has it");
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  StateRecord next = state_;
  ++next.generation;
  SetState(next);
  SetCompaction({});
  last_crc_ = LastCrc(image);
  superseded_ = 0;
  std::vector<MediaExtent> dead;
  for (const std::string& directory : drop) {
    const PendingVolume& volume = player_->pending().at(directory);
    dead.insert(dead.end(), volume.extents.begin(), volume.extents.end());
  }
  player_->ForgetDead(drop, image.entries);
  for (const std::string& directory : drop) scrubbed_.erase(directory);
  for (const MediaExtent& extent : dead) {
    IgnoreError(TakeLocked(extent), "ForgetDead freed it");
  }
  if (const absl::Status removed = device_->RemoveExtent(place.offset);
      !removed.ok()) {
    spdlog::warn("{}: the compaction's image stays: {}", device_->spec(),
                 Message(removed));
  }
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  spdlog::info("{}: compacted the log from {} to {} entries", device_->spec(),
               entries, image.entries);
  return dead;
}

absl::StatusOr<std::unique_ptr<Mapping>> Writer::PlaceImageLocked(
    std::uint64_t length, Range& place) {
  const bool files = device_->has_extent_files();
  if (reserve_) {
    place = {reserve_->offset, length};
    // What an earlier image left there, if anything, is nobody's.
    absl::Status made;
    if (files) made = device_->RemoveExtent(place.offset);
    if (files && made.ok()) made = device_->CreateExtent(place);
    if (made.ok())
      return device_->Map(place.offset, length, Access::kReadWrite);
    if (!absl::IsResourceExhausted(made)) return made;
  }
  if (!files) return PlaceImageInScrubbedLocked(length, place);
  for (const Range& dead : player_->PendingOn(0)) {
    if (dead.length < length) continue;
    // The volume is deleted and no entry of a live one names its extent; who
    // still maps the old file keeps it.
    place = {dead.offset, length};
    if (!device_->RemoveExtent(dead.offset).ok()) continue;  // another one may
    FAMFS_RETURN_IF_ERROR(device_->CreateExtent(place));
    return device_->Map(place.offset, length, Access::kReadWrite);
  }
  return NoRoomForImage(length);
}

/// In space that this compaction frees: no host has it any more. What the image
/// leaves there is no longer zero.
absl::StatusOr<std::unique_ptr<Mapping>> Writer::PlaceImageInScrubbedLocked(
    std::uint64_t length, Range& place) {
  for (const std::string& directory : scrubbed_) {
    for (const MediaExtent& dead : player_->pending().at(directory).extents) {
      if (dead.device_index != 0 || dead.length < length) continue;
      place = {dead.offset, length};
      clean_.Forget({0, dead.offset, length});
      return device_->Map(place.offset, length, Access::kReadWrite);
    }
  }
  return NoRoomForImage(length);
}

absl::Status Writer::NoRoomForImage(std::uint64_t length) {
  return ResourceExhausted(
      "a compaction needs {} of free space for the new log, and there is none",
      FormatSize(length));
}

void Writer::TakeReserveLocked() {
  const std::uint64_t need =
      RoundUp(layout_.superblock().log_length, kAllocUnit);
  ExtentAllocator& allocator = player_->mutable_allocator();
  if (reserve_ || allocator.largest_free() < need) return;
  std::vector<Range> taken = player_->PendingOn(0);
  for (const auto& [id, node] : player_->tree().nodes()) {
    for (const MediaExtent& extent : node->extents) {
      if (extent.device_index == 0) {
        taken.push_back({extent.offset, extent.length});
      }
    }
  }
  for (const std::vector<MediaExtent>* extents :
       {&claimed_, &dying_, &stuck_}) {
    for (const MediaExtent& extent : *extents) {
      if (extent.device_index == 0) {
        taken.push_back({extent.offset, extent.length});
      }
    }
  }
  std::sort(taken.begin(), taken.end());
  // From the end: the last gap that is large enough, and in it the last bytes,
  // so that the reserve splits as little as possible.
  std::uint64_t gap_end = layout_.device_size() / kAllocUnit * kAllocUnit;
  for (auto it = taken.rbegin(); it != taken.rend(); ++it) {
    const Range candidate{gap_end - need, need};
    if (gap_end >= it->end() + need && allocator.Take(candidate).ok()) {
      reserve_ = candidate;
      if (WaitsForHosts()) clean_.Forget({0, candidate.offset, need});
      return;
    }
    gap_end = it->offset;
  }
}

Reader::View Writer::Tree() const {
  // The player's address never changes once the writer is open.
  return {mutex_, player_->tree()};
}

const MediaSuperblock& Writer::superblock() const {
  return layout_.superblock();
}

}  // namespace famfs
