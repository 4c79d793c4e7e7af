// The log's part of a compaction: the steps that a crash may interrupt, in
// their order.
#include <cstring>

#include "instance/devices/metadata_store.h"
#include "instance/writer/owned_log.h"
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

std::uint64_t OwnedLog::Droppable(std::size_t released) const {
  // Of a part of the dead volumes, at least the entries that made them.
  const std::uint64_t superseded = player_->superseding();
  if (released < player_->pending().size()) return superseded + released;
  if (released == 0) return superseded;
  const std::uint64_t kept = tree().size() - base_nodes_ +
                             player_->live_pieces() + player_->devices().size();
  return entries() - kept;
}

absl::StatusOr<LogImage> OwnedLog::MakeImage(
    const absl::flat_hash_set<std::string>& drop) {
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  FAMFS_RETURN_IF_ERROR(CheckStillWhole(layout_->log().bytes(), entries()));
  LogImage image = MakeLogImage(layout_->log().bytes(),
                                {.log_length = layout_->superblock().log_length,
                                 .entries = entries(),
                                 .drop = &drop,
                                 .player = player_.get()});
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  return image;
}

absl::Status OwnedLog::Rewrite(const LogImage& image, const Range& place) {
  // From here on nothing fails but where memory is missing, which is as a crash
  // is: each store is written back before the next, and TakeOver completes what
  // was interrupted.
  SetCompaction({.generation = state_.generation + 1,
                 .offset = place.offset,
                 .length = image.bytes.size(),
                 .image_crc = Crc32(image.bytes)});
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  StoreCompactingHeader(layout_->log());
  IgnoreError(RewriteLog(layout_->log(), image, entries()),
              "CheckMemory has it");
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  StateRecord next = state_;
  ++next.generation;
  SetState(next);
  SetCompaction({});
  last_crc_ = LastCrc(image);
  return absl::OkStatus();
}

OwnedLog::Dropped OwnedLog::Forget(const absl::flat_hash_set<std::string>& drop,
                                   const LogImage& image) {
  Dropped dead;
  for (const std::string& directory : drop) {
    const PendingVolume& volume = player_->pending().at(directory);
    dead.extents.insert(dead.extents.end(), volume.extents.begin(),
                        volume.extents.end());
    for (const TreeId id : volume.files) {
      dead.node_files.push_back(NodeFileName(directory, id));
    }
  }
  player_->ForgetDead(drop, image.entries);
  for (const MediaExtent& extent : dead.extents) {
    IgnoreError(Take(extent), "ForgetDead freed it");
  }
  return dead;
}

}  // namespace famfs
