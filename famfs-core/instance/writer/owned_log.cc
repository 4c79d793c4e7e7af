#include "instance/writer/owned_log.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cstring>

#include "base/text.h"
#include "instance/devices/metadata_store.h"
#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

/// What shows whether a writer still owns its log.
struct Standing {
  absl::StatusOr<std::optional<OwnerRecord>> owner;
  absl::StatusOr<std::optional<StateRecord>> state;
  absl::StatusOr<std::optional<CompactionRecord>> compaction;
  MediaLogHeader header{};
  MediaEntry last{};  // of `entries`, if there are any
};

/// All invalidations come before the first load: a load after each would be a
/// trip to the memory each, one after the other, and every append does this
/// twice.
Standing LoadStanding(const Layout& layout, std::uint64_t entries) {
  constexpr std::size_t kStart = kRegionOffset + kStateAt;
  std::array<std::byte, kOwnerAt - kStateAt + 2 * kLineSize> lines;
  const Mapping& head = layout.head();
  const Mapping& log = layout.log();
  Standing seen;
  head.Invalidate(kStart, lines.size());
  log.Invalidate(0, sizeof(seen.header));
  if (entries > 0) log.Invalidate(EntryAt(entries - 1), sizeof(seen.last));
  std::memcpy(lines.data(), head.data() + kStart, lines.size());
  std::memcpy(&seen.header, log.data(), sizeof(seen.header));
  if (entries > 0) {
    std::memcpy(static_cast<void*>(&seen.last),
                log.data() + EntryAt(entries - 1), sizeof(seen.last));
  }
  const std::span<const std::byte> all(lines);
  const Uuid& fs_uuid = layout.superblock().fs_uuid;
  seen.owner = DecodeOwner(all.subspan(kOwnerAt - kStateAt), fs_uuid);
  seen.state = DecodeState(all.first(2 * kLineSize), fs_uuid);
  seen.compaction = DecodeCompaction(
      all.subspan(kCompactionAt - kStateAt, 2 * kLineSize), fs_uuid);
  return seen;
}

}  // namespace

std::uint64_t OwnedLog::slots() const {
  return LastIndex(layout_->superblock().log_length) + 1;
}

absl::Status OwnedLog::Stop(absl::Status why) {
  spdlog::critical("{}: this writer stops: {}", device_->spec(), Message(why));
  stopped_ = std::move(why);
  return stopped_;
}

absl::Status OwnedLog::CheckMemory() {
  absl::Status status = layout_->Check();
  if (status.ok()) return status;
  return Stop(Unavailable(
      "memory of the log or its tables is missing: {}; open the file system "
      "again when that is mended",
      Message(status)));
}

absl::Status OwnedLog::Overwritten(std::string_view what) const {
  return Aborted(
      "{} was overwritten by a writer that was overtaken: what it stored "
      "stands in place of what this writer (epoch {}) acknowledged; make sure "
      "that no other writer runs, look with `famfs fsck` for what is broken "
      "and compare the files with what was made, then open the file system "
      "again",
      what, state_.writer_epoch);
}

absl::Status OwnedLog::CheckStillOwner(std::uint64_t entries,
                                       std::uint64_t last_crc) {
  FAMFS_RETURN_IF_ERROR(stopped_);
  const Standing seen = LoadStanding(*layout_, entries);
  FAMFS_RETURN_IF_ERROR(CheckMemory());
  // An instance made anew has records of its own, which would look like a
  // take-over.
  if (!seen.owner.ok() || !seen.owner->has_value() || **seen.owner != owner_) {
    if (const absl::Status same = layout_->identity().Check(); !same.ok()) {
      return Stop(same);
    }
  }
  const bool have_state = seen.state.ok() && seen.state->has_value();
  if (!seen.owner.ok() || !seen.owner->has_value() || **seen.owner != owner_ ||
      (have_state && (*seen.state)->writer_epoch > state_.writer_epoch)) {
    return Stop(Aborted(
        "another writer took the file system over: epoch {} is no longer the "
        "current one; open it again if this host is to write",
        state_.writer_epoch));
  }
  if (!have_state || **seen.state != state_) {
    return Stop(Overwritten("the state record"));
  }
  if (!seen.compaction.ok() ||
      seen.compaction->value_or(CompactionRecord{}) != compaction_) {
    return Stop(Overwritten("the compaction record"));
  }
  if (seen.header.next_index != entries || seen.header.next_seqnum != entries ||
      seen.header.length != layout_->superblock().log_length) {
    return Stop(Overwritten(
        fmt::format("the log (it has {} entries, not the {} that this writer "
                    "acknowledged)",
                    seen.header.next_index, entries)));
  }
  if (entries == 0) return absl::OkStatus();
  if (seen.last.crc != last_crc || ChecksumOf(seen.last) != last_crc) {
    return Stop(Overwritten(fmt::format("entry {} of the log", entries - 1)));
  }
  return absl::OkStatus();
}

absl::Status OwnedLog::CheckStillOwner() {
  return CheckStillOwner(entries(), last_crc_);
}

absl::Status OwnedLog::CheckStanding() {
  FAMFS_RETURN_IF_ERROR(stopped_);
  if (const absl::Status same = layout_->identity().Check(); !same.ok()) {
    return IsReplaced(same) ? Stop(same) : same;
  }
  return CheckStillOwner();
}

/// What a reader would refuse must not be published.
absl::Status OwnedLog::CheckNewEntry(const MediaEntry& entry) const {
  if (const absl::Status status = CheckEntry(
          entry, entry.seqnum, layout_->data_start(), layout_->device_size());
      !status.ok()) {
    return Internal("refused to append a broken entry: {}", Message(status));
  }
  if (entry.type == static_cast<std::uint32_t>(EntryType::kAddDaxdev)) {
    return absl::OkStatus();
  }
  const bool is_file =
      entry.type == static_cast<std::uint32_t>(EntryType::kFile);
  const std::string_view path =
      PathFromField(is_file ? entry.file.path : entry.mkdir.path);
  const Namespace& tree = player_->tree();
  if (!is_file && tree.FindDirectory(path) != nullptr) {
    return absl::OkStatus();  // a volume's next revision
  }
  const NodeId id = tree.IdOf(path, is_file ? entry.file.extents : nullptr);
  const Node* there = tree.Find(id);
  if (there == nullptr) return absl::OkStatus();
  const auto name = ParseTreeName(path.substr(path.find('/') + 1));
  if (there->tree != nullptr && name && name->id == there->tree->id) {
    return absl::OkStatus();  // a node's next revision
  }
  return AlreadyExists("path '{}' has the node id of another path; use another",
                       Printable(path));
}

absl::Status OwnedLog::Append(std::span<MediaEntry> entries,
                              std::span<const MediaExtent> extents) {
  const std::uint64_t first = player_->next_index();
  const std::uint64_t end = first + entries.size();
  if (end > slots()) {
    return Internal("{} entries do not fit into a log with {} of {} slots used",
                    entries.size(), first, slots());
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].seqnum = first + i;
    Seal(entries[i]);
    FAMFS_RETURN_IF_ERROR(CheckNewEntry(entries[i]));
  }
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  const std::span<const std::byte> bytes = std::as_bytes(entries);
  layout_->log().Store(EntryAt(first), bytes);
  layout_->log().WriteBack(EntryAt(first), bytes.size());
  StoreLogCounters(layout_->log(), end);
  const std::uint64_t last_crc = entries.back().crc;
  FAMFS_RETURN_IF_ERROR(CheckStillOwner(end, last_crc));
  last_crc_ = last_crc;
  for (const MediaExtent& extent : extents) {
    // The player takes what the entries name.
    if (const absl::Status freed = Free(extent); !freed.ok()) {
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

absl::StatusOr<std::uint64_t> OwnedLog::TakeDeletionNumber() {
  StateRecord next = state_;
  // Above it all hosts have let go of everything (deletion/host_table.h).
  constexpr std::uint64_t kLast = ~std::uint64_t{0} - 1;
  if (next.last_deletion >= kLast) {
    return FailedPrecondition(
        "nothing can be deleted any more: an entry of the log or the state "
        "record has the deletion number {}, which is the last one; copy what "
        "is needed and make the file system anew",
        next.last_deletion);
  }
  ++next.last_deletion;
  SetState(next);
  return next.last_deletion;
}

absl::Status OwnedLog::Take(const MediaExtent& extent) {
  return allocator(extent.device_index).Take({extent.offset, extent.length});
}

absl::Status OwnedLog::Free(const MediaExtent& extent) {
  return allocator(extent.device_index).Free({extent.offset, extent.length});
}

void OwnedLog::SetState(StateRecord next) {
  next.sequence = state_.sequence + 1;
  StoreState(layout_->head(), next, layout_->superblock().fs_uuid);
  state_ = next;
}

void OwnedLog::SetCompaction(CompactionRecord next) {
  next.sequence = compaction_.sequence + 1;
  StoreCompaction(layout_->head(), next, layout_->superblock().fs_uuid);
  compaction_ = next;
}

}  // namespace famfs
