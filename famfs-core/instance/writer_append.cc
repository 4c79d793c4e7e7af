#include <spdlog/spdlog.h>

#include "instance/metadata_store.h"
#include "instance/writer.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {

absl::Status Writer::Stop(absl::Status why) {
  spdlog::critical("{}: this writer stops: {}", device_->spec(), Message(why));
  stopped_ = std::move(why);
  return stopped_;
}

absl::Status Writer::Overwritten(std::string_view what) const {
  return Aborted(
      "{} was overwritten by a writer that was overtaken: what it stored "
      "stands in place of what this writer (epoch {}) acknowledged; make sure "
      "that no other writer runs, look with `famfs fsck` for what is broken "
      "and compare the files with what was made, then open the file system "
      "again",
      what, state_.writer_epoch);
}

absl::Status Writer::CheckStillOwner(std::uint64_t entries,
                                     std::uint64_t last_crc) {
  FAMFS_RETURN_IF_ERROR(stopped_);
  const auto owner = layout_.LoadOwner();
  const auto state = layout_.LoadState();
  const bool have_state = state.ok() && state->has_value();
  if (!owner.ok() || !owner->has_value() || **owner != owner_ ||
      (have_state && (*state)->writer_epoch > state_.writer_epoch)) {
    return Stop(Aborted(
        "another writer took the file system over: epoch {} is no longer the "
        "current one; open it again if this host is to write",
        state_.writer_epoch));
  }
  if (!have_state || **state != state_) {
    return Stop(Overwritten("the state record"));
  }
  const auto compaction = layout_.LoadCompaction();
  if (!compaction.ok() ||
      compaction->value_or(CompactionRecord{}) != compaction_) {
    return Stop(Overwritten("the compaction record"));
  }
  const MediaLogHeader header = layout_.LoadLogHeader();
  if (header.next_index != entries || header.next_seqnum != entries ||
      header.length != layout_.superblock().log_length) {
    return Stop(Overwritten(
        fmt::format("the log (it has {} entries, not the {} that this writer "
                    "acknowledged)",
                    header.next_index, entries)));
  }
  if (entries == 0) return absl::OkStatus();
  const MediaEntry last = layout_.LoadEntry(entries - 1);
  if (last.crc != last_crc || ChecksumOf(last) != last_crc) {
    return Stop(Overwritten(fmt::format("entry {} of the log", entries - 1)));
  }
  return absl::OkStatus();
}

/// What a reader would refuse must not be published.
absl::Status Writer::CheckNewEntry(const MediaEntry& entry) const {
  if (const absl::Status status = CheckEntry(
          entry, entry.seqnum, layout_.data_start(), layout_.device_size());
      !status.ok()) {
    return Internal("refused to append a broken entry: {}", Message(status));
  }
  if (entry.type == static_cast<std::uint32_t>(EntryType::kAddDaxdev)) {
    return absl::OkStatus();
  }
  const bool is_file =
      entry.type == static_cast<std::uint32_t>(EntryType::kFile);
  const std::string_view path =
      PathOf(is_file ? entry.file.path : entry.mkdir.path);
  const Namespace& tree = player_->tree();
  if (!is_file && tree.FindDirectory(path) != nullptr) {
    return absl::OkStatus();  // a volume's next revision
  }
  const NodeId id = tree.IdOf(path, is_file ? entry.file.extents : nullptr);
  if (tree.Find(id) == nullptr) return absl::OkStatus();
  return AlreadyExists("path '{}' has the node id of another path; use another",
                       Printable(path));
}

absl::Status Writer::Append(std::span<MediaEntry> entries,
                            std::span<const MediaExtent> extents) {
  const std::uint64_t first = player_->next_index();
  const std::uint64_t end = first + entries.size();
  if (end > SlotsLocked()) {
    return Internal("{} entries do not fit into a log with {} of {} slots used",
                    entries.size(), first, SlotsLocked());
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].seqnum = first + i;
    Seal(entries[i]);
    FAMFS_RETURN_IF_ERROR(CheckNewEntry(entries[i]));
  }
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  const std::span<const std::byte> bytes = std::as_bytes(entries);
  layout_.log().Store(EntryAt(first), bytes);
  layout_.log().WriteBack(EntryAt(first), bytes.size());
  StoreLogCounters(layout_.log(), end);
  const std::uint64_t last_crc = entries.back().crc;
  FAMFS_RETURN_IF_ERROR(CheckStillOwner(end, last_crc));
  last_crc_ = last_crc;
  for (const MediaExtent& extent : extents) {
    // The player takes what the entries name.
    if (const absl::Status freed = FreeLocked(extent); !freed.ok()) {
      return Stop(freed);
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (const absl::Status played = player_->Apply(first + i, entries[i]);
        !played.ok()) {
      return Stop(
          Internal("an entry of our own does not play: {}", Message(played)));
    }
  }
  return absl::OkStatus();
}

void Writer::SetState(StateRecord next) {
  next.sequence = state_.sequence + 1;
  StoreState(layout_.head(), next, layout_.superblock().fs_uuid);
  state_ = next;
}

void Writer::SetCompaction(CompactionRecord next) {
  next.sequence = compaction_.sequence + 1;
  StoreCompaction(layout_.head(), next, layout_.superblock().fs_uuid);
  compaction_ = next;
}

}  // namespace famfs
