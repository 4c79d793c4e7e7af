#include <array>

#include "base/text.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/placing.h"
#include "instance/writer/writer.h"
#include "instance/writer/writer_parts.h"
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
  if (attributes.layout == VolumeLayout::kTree &&
      directory.size() > kMaxTreeVolume) {
    return InvalidArgument(
        "a tree volume's directory has at most {} bytes, '{}' has {}",
        kMaxTreeVolume, Printable(directory), directory.size());
  }
  if (attributes.state != VolumeState::kLive || attributes.revision != 1) {
    return InvalidArgument("a new volume is live and has revision 1, not {}",
                           attributes.revision);
  }
  return absl::OkStatus();
}

absl::Status TryDelete(WriterState& state, const std::string& directory) {
  const WriterMutexLock lock(state.mutex);
  OwnedLog& log = state.log;
  FAMFS_RETURN_IF_ERROR(log.stopped());
  const auto it = log.tree().volumes().find(directory);
  if (it == log.tree().volumes().end()) {
    return NotFound("there is no volume '{}'", Printable(directory));
  }
  if (state.UsedSlots() >= log.slots()) {
    return ResourceExhausted(
        "the log is full: all of its {} slots are used, also those reserved "
        "for deletions",
        log.slots());
  }
  // Before the state line is written: a stale writer must not undo the epoch of
  // its successor.
  FAMFS_RETURN_IF_ERROR(log.CheckStillOwner());
  const Node& node = *log.tree().Find(it->second);
  VolumeAttributes attributes = *node.volume;
  ++attributes.revision;
  attributes.state = VolumeState::kDeleted;
  if (attributes.revision == 0) {
    return FailedPrecondition(
        "volume '{}' has the last revision that there is, as no writer of ours "
        "makes it: it cannot be deleted; copy what is needed and make the file "
        "system anew",
        Printable(directory));
  }
  FAMFS_ASSIGN_OR_RETURN(attributes.deletion_number, log.TakeDeletionNumber());
  MediaEntry entry = NewMkdirEntry(directory, node.owner);
  FAMFS_RETURN_IF_ERROR(EncodeVolumeAttributes(attributes, entry.mkdir));
  FAMFS_RETURN_IF_ERROR(log.Append(std::span(&entry, 1), {}));
  // Dead pieces of a tree volume are part of it from now on.
  state.scrubbed.Keep(log.player().pending());
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
  FAMFS_ASSIGN_OR_RETURN(
      Wanted wanted,
      VolumeFile(parts_->state, VolumePlacement::Of(attributes)));
  wanted.path = directory;
  wanted.is_volume = true;
  wanted.volume_name = attributes.name;
  wanted.kind = attributes.kind;
  wanted.size = has_file ? attributes.capacity : 0;
  wanted.promise = has_file ? 0 : attributes.capacity;
  wanted.slots = has_file ? 2 : 1;
  FAMFS_ASSIGN_OR_RETURN(const Claim claim, parts_->creations.Reserve(wanted));
  if (!has_file) {
    return parts_->creations.Publish(claim, std::span(entries).first(1));
  }
  Ownership of_file = owner;
  of_file.mode &= ~0111U;
  entries[1] =
      NewFileEntry(directory + std::string(kDataFile), attributes.capacity,
                   claim.chunk, claim.extents, of_file);
  return parts_->creations.Publish(claim, entries);
}

absl::Status Writer::DeleteVolume(const std::string& directory) {
  WriterParts& parts = *parts_;
  absl::Status status = TryDelete(parts.state, directory);
  if (!absl::IsResourceExhausted(status) || !parts.reclamation.Helps()) {
    return status;
  }
  const absl::Status reclaimed = parts.reclamation.Run();
  status = TryDelete(parts.state, directory);
  return status.ok() || reclaimed.ok() ? status : reclaimed;
}

}  // namespace famfs
