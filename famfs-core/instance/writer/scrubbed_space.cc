#include "instance/writer/scrubbed_space.h"

#include <algorithm>

#include "instance/deletion/space.h"

namespace famfs {

void ScrubbedSpace::Load(Mapping& head, const Uuid& fs_uuid,
                         std::uint64_t data_start, const LogPlayer& player) {
  clean_ = CleanRanges(head, fs_uuid);
  clean_.Forget({0, 0, data_start});
  for (const auto& [id, node] : player.tree().nodes()) {
    for (const MediaExtent& extent : node->extents) clean_.Forget(extent);
  }
}

bool ScrubbedSpace::IsClean(const PendingVolume& volume) const {
  return std::all_of(
      volume.extents.begin(), volume.extents.end(),
      [this](const MediaExtent& extent) { return clean_.Covers(extent); });
}

void ScrubbedSpace::FindScrubbed(const PendingVolumes& pending,
                                 std::span<const Reservation> lost) {
  for (const auto& [directory, volume] : pending) {
    if (IsClean(volume) && !IsQuarantined(volume, ~std::uint64_t{0}, lost)) {
      directories_.insert(directory);
    }
  }
}

ScrubJob ScrubbedSpace::JobFor(const std::string& directory,
                               const PendingVolume& volume) const {
  ScrubJob job{.directory = directory,
               .deletion_number = volume.deletion_number,
               .extents = {}};
  for (const MediaExtent& extent : volume.extents) {
    if (!clean_.Covers(extent)) job.extents.push_back(extent);
  }
  return job;
}

void ScrubbedSpace::NoteZero(const ScrubJob& part) {
  for (const MediaExtent& extent : part.extents) clean_.Add(extent);
}

void ScrubbedSpace::NoteDone(const ScrubJob& job,
                             const PendingVolumes& pending) {
  if (pending.contains(job.directory)) directories_.insert(job.directory);
}

void ScrubbedSpace::Keep(const PendingVolumes& pending) {
  absl::erase_if(directories_, [&](const std::string& directory) {
    return !pending.contains(directory);
  });
}

void ScrubbedSpace::Drop(const absl::flat_hash_set<std::string>& directories) {
  for (const std::string& directory : directories) {
    directories_.erase(directory);
  }
}

std::optional<Range> ScrubbedSpace::FindOnPrimary(
    std::uint64_t length, const PendingVolumes& pending) const {
  for (const std::string& directory : directories_) {
    for (const MediaExtent& dead : pending.at(directory).extents) {
      if (dead.device_index == 0 && dead.length >= length) {
        return Range{dead.offset, length};
      }
    }
  }
  return std::nullopt;
}

}  // namespace famfs
