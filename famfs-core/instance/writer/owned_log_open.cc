// What an opening does to the log: it completes what a crash left, and makes
// the next epoch this host's.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "instance/devices/metadata_store.h"
#include "instance/log/fast_play.h"
#include "instance/writer/owned_log.h"
#include "instance/writer/ownership.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {

absl::StatusOr<OwnedLog> OwnedLog::TakeOver(DaxDevice& device, Layout& layout,
                                            const Uuid& system_uuid) {
  OwnedLog log(device, layout);
  FAMFS_RETURN_IF_ERROR(log.FinishCompaction());
  FAMFS_RETURN_IF_ERROR(log.PlayLog());
  FAMFS_RETURN_IF_ERROR(layout.Check());
  log.TakeEpoch(system_uuid);
  log.MendLog();
  return log;
}

absl::Status OwnedLog::FinishCompaction() {
  FAMFS_ASSIGN_OR_RETURN(const auto state, layout_->LoadState());
  FAMFS_ASSIGN_OR_RETURN(const auto record, layout_->LoadCompaction());
  FAMFS_ASSIGN_OR_RETURN(const auto owner, layout_->LoadOwner());
  owner_ = owner.value_or(OwnerRecord{});
  state_ = state.value_or(StateRecord{});
  compaction_ = record.value_or(CompactionRecord{});
  const std::uint64_t length = layout_->superblock().log_length;
  absl::Status header = CheckLogHeader(layout_->LoadLogHeader(), length);
  FAMFS_RETURN_IF_ERROR(layout_->Check());
  if (compaction_.length == 0) return header;
  if (!state) {
    return DataLoss("compaction record without a state record in our region");
  }
  if (!header.ok()) {
    FAMFS_ASSIGN_OR_RETURN(const LogImage image,
                           LoadLogImage(*device_, compaction_, length));
    spdlog::info("{}: completing an interrupted compaction to {} entries",
                 device_->spec(), image.entries);
    FAMFS_RETURN_IF_ERROR(RewriteLog(layout_->log(), image, image.entries));
  }
  // Whether the log is the old or the new one: readers start from its
  // beginning.
  StateRecord next = state_;
  next.generation = std::max(next.generation, compaction_.generation);
  SetState(next);
  SetCompaction({});
  return absl::OkStatus();
}

absl::Status OwnedLog::PlayLog() {
  base_nodes_ = Namespace(layout_->superblock().fs_uuid, 0).size();
  const std::uint64_t entries = layout_->LoadLogHeader().next_index;
  if (entries >= kFastPlayFrom) {
    player_ = PlayFast(layout_->superblock(), layout_->device_size(),
                       layout_->log(), entries);
  }
  if (player_ == nullptr) {
    // A short log, or one that breaks a rule: this tells which.
    player_ = std::make_unique<LogPlayer>(layout_->superblock(),
                                          layout_->device_size());
    for (std::uint64_t i = 0; i < entries; ++i) {
      FAMFS_RETURN_IF_ERROR(player_->Apply(i, layout_->LoadEntry(i)));
    }
  }
  if (entries > 0) last_crc_ = layout_->LoadEntry(entries - 1).crc;
  for (const auto& [directory, volume] : player_->pending()) {
    state_.last_deletion =
        std::max(state_.last_deletion, volume.deletion_number);
  }
  return absl::OkStatus();
}

void OwnedLog::TakeEpoch(const Uuid& system_uuid) {
  StateRecord next = state_;
  if (state_.writer_epoch == 0 && owner_.epoch == 0) {
    // The first writer of an upstream instance, which leaves the region as an
    // earlier life of the device had it.
    ZeroDirty(layout_->head(), kRegionOffset, kRegionSize);
  }
  ++next.writer_epoch;
  next.writer_epoch = std::max(next.writer_epoch, owner_.epoch + 1);
  next.writer_host = system_uuid;
  SetState(next);
  // Only now, and never again by this writer: media/region_tables.h.
  owner_ = StoreNextOwner(*layout_, next.writer_epoch, system_uuid);
  auto mark = UseMark::Set(*device_, Use::kWriting, next.writer_epoch);
  if (mark.ok()) mark_ = *std::move(mark);  // else another's tells the same
}

void OwnedLog::MendLog() {
  const MediaLogHeader header = layout_->LoadLogHeader();
  if (header.next_seqnum != header.next_index) {
    StoreLogCounters(layout_->log(), header.next_index);
  }
  const std::uint64_t end = EntryAt(header.next_index);
  ZeroDirty(layout_->log(), end, layout_->log().size() - end);
}

}  // namespace famfs
