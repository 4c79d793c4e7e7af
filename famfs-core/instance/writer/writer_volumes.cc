#include <array>

#include "base/text.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/writer.h"
#include "media/rules.h"

namespace famfs {
namespace {

constexpr std::string_view kDataFile = "/data";

absl::Status CheckNewVolume(const std::string& directory,
                            const VolumeAttributes& attributes) {
  if (directory.find('/') != std::string::npos ||
      directory.size() > kMaxPathLength - kDataFile.size()) {
    return InvalidArgument(
        "a volume's directory is one component of at most {} bytes, not '{}'",
        kMaxPathLength - kDataFile.size(), Printable(directory));
  }
  if (attributes.state != VolumeState::kLive || attributes.revision != 1) {
    return InvalidArgument("a new volume is live and has revision 1, not {}",
                           attributes.revision);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Writer::CreateVolume(const std::string& directory,
                                  const VolumeAttributes& attributes,
                                  Ownership owner) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  FAMFS_RETURN_IF_ERROR(CheckNewVolume(directory, attributes));
  FAMFS_RETURN_IF_ERROR(CheckPath(directory));
  std::array<MediaEntry, 2> entries = {NewMkdirEntry(directory, owner),
                                       MediaEntry{}};
  FAMFS_RETURN_IF_ERROR(EncodeVolumeAttributes(attributes, entries[0].mkdir));
  const bool has_file = attributes.layout == VolumeLayout::kFile;
  FAMFS_ASSIGN_OR_RETURN(Wanted wanted,
                         VolumeFile(VolumePlacement::Of(attributes)));
  wanted.path = directory;
  wanted.is_volume = true;
  wanted.volume_name = attributes.name;
  wanted.kind = attributes.kind;
  wanted.size = has_file ? attributes.capacity : 0;
  wanted.slots = has_file ? 2 : 1;
  FAMFS_ASSIGN_OR_RETURN(const Claim claim, Reserve(wanted));
  if (!has_file) return Publish(claim, std::span(entries).first(1));
  Ownership of_file = owner;
  of_file.mode &= ~0111U;
  entries[1] =
      NewFileEntry(directory + std::string(kDataFile), attributes.capacity,
                   claim.chunk, claim.extents, of_file);
  return Publish(claim, entries);
}

absl::Status Writer::TryDeleteVolume(const std::string& directory) {
  const WriterMutexLock lock(mutex_);
  FAMFS_RETURN_IF_ERROR(stopped_);
  const auto it = player_->tree().volumes().find(directory);
  if (it == player_->tree().volumes().end()) {
    return NotFound("there is no volume '{}'", Printable(directory));
  }
  const std::uint64_t used = player_->next_index() + claimed_slots_;
  if (used >= SlotsLocked()) {
    return ResourceExhausted(
        "the log is full: all of its {} slots are used, also those reserved "
        "for deletions",
        SlotsLocked());
  }
  // Before the state line is written: a stale writer must not undo the epoch of
  // its successor.
  FAMFS_RETURN_IF_ERROR(CheckStillOwner());
  const Node& node = *player_->tree().Find(it->second);
  VolumeAttributes attributes = *node.volume;
  // The number is spent before an entry uses it: a crash in between skips it,
  // and none is ever given out twice.
  StateRecord next = state_;
  ++next.last_deletion;
  SetState(next);
  ++attributes.revision;
  attributes.state = VolumeState::kDeleted;
  attributes.deletion_number = next.last_deletion;
  MediaEntry entry = NewMkdirEntry(directory, node.owner);
  FAMFS_RETURN_IF_ERROR(EncodeVolumeAttributes(attributes, entry.mkdir));
  return Append(std::span(&entry, 1), {});
}

absl::Status Writer::DeleteVolume(const std::string& directory) {
  const absl::Status status = TryDeleteVolume(directory);
  if (!absl::IsResourceExhausted(status) || !ReclaimHelps()) return status;
  FAMFS_RETURN_IF_ERROR(Reclaim());
  return TryDeleteVolume(directory);
}

}  // namespace famfs
