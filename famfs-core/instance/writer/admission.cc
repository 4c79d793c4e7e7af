#include "instance/writer/admission.h"

#include <absl/container/flat_hash_map.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace famfs {
namespace {

/// Adds what a file of the log takes on a device.
void AddExtents(const Node& node, std::uint64_t device_index,
                bool has_node_files, std::vector<Range>& ranges) {
  // A node's own file has the bytes of its pieces.
  if (node.is_meta || (node.tree != nullptr && has_node_files)) return;
  for (const MediaExtent& extent : node.extents) {
    if (extent.device_index == device_index) {
      ranges.push_back({extent.offset, extent.length});
    }
  }
}

bool Contains(const std::vector<Range>& sorted, const Range& range) {
  return std::binary_search(sorted.begin(), sorted.end(), range);
}

/// Whether any range of `sorted`, which do not overlap each other, meets
/// `range`.
bool Overlaps(const std::vector<Range>& sorted, const Range& range) {
  const auto after =
      std::lower_bound(sorted.begin(), sorted.end(), Range{range.end(), 0});
  return after != sorted.begin() && std::prev(after)->end() > range.offset;
}

/// Tells those of files that are not there.
std::vector<MediaExtent> FindMissing(std::uint64_t index,
                                     const DaxDevice& device,
                                     const std::vector<Range>& live,
                                     const std::vector<Range>& present) {
  std::vector<MediaExtent> missing;
  for (const Range& range : live) {
    if (Contains(present, range)) continue;
    missing.push_back({index, range.offset, range.length});
    spdlog::error("{}: a file's extent at {:#x} ({} bytes) is missing",
                  device.spec(), range.offset, range.length);
  }
  return missing;
}

}  // namespace

std::vector<std::shared_ptr<DaxDevice>> Admission::Present() const {
  std::vector<std::shared_ptr<DaxDevice>> found(state_.devices->size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i] = state_.devices->Find(i);
  }
  return found;
}

absl::Status Admission::Admit() {
  state_.devices->Verify();
  const auto seen = Present();
  {
    const ReaderMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.stopped());
    if (state_.admitted == seen) return absl::OkStatus();
  }
  const MutexLock one(mutex_);
  const auto now = Present();
  std::string error;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const absl::Status status = AdmitDevice(i, now[i]);
    if (i == 0) FAMFS_RETURN_IF_ERROR(status);
    if (!status.ok()) error = std::string(Message(status));
  }
  if (std::exchange(error_, error) != error && !error.empty()) {
    spdlog::error("{}: a further device cannot be used: {}",
                  state_.device->spec(), error);
  }
  return absl::OkStatus();
}

absl::Status Admission::AdmitDevice(std::uint64_t index,
                                    const std::shared_ptr<DaxDevice>& device) {
  {
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.stopped());
    auto& admitted = state_.admitted;
    if (admitted.size() <= index) admitted.resize(index + 1);
    if (admitted[index] == device) return absl::OkStatus();
    admitted[index] = nullptr;
  }
  if (device == nullptr) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(Reconcile(index, *device));
  if (index > 0) {
    spdlog::info("{}: device {} is {}", state_.device->spec(), index,
                 device->spec());
  }
  const WriterMutexLock lock(state_.mutex);
  state_.admitted[index] = device;
  return absl::OkStatus();
}

absl::Status Admission::CheckStanding() {
  FAMFS_RETURN_IF_ERROR(Admit());
  const WriterMutexLock lock(state_.mutex);
  return state_.log.CheckStanding();
}

std::vector<MediaExtent> Admission::MissingExtents() const {
  const ReaderMutexLock lock(state_.mutex);
  return missing_;
}

Admission::Extents Admission::ExtentsOn(std::uint64_t index) const {
  const ReaderMutexLock lock(state_.mutex);
  Extents extents;
  const bool has_node_files = state_.device->capabilities().has_node_files;
  for (const auto& [id, node] : state_.log.tree().nodes()) {
    AddExtents(*node, index, has_node_files, extents.live);
  }
  std::sort(extents.live.begin(), extents.live.end());
  std::vector<Range>& named = extents.named;
  named = state_.log.player().PendingOn(index);
  named.insert(named.end(), extents.live.begin(), extents.live.end());
  // Of a device that was missing for a while: not yet, or no longer, named.
  const std::vector<Range> unnamed = state_.UnnamedOn(index);
  named.insert(named.end(), unnamed.begin(), unnamed.end());
  named.push_back({kSuperblockOffset, kSuperblockRegion});
  if (index == 0) {
    named.push_back({kLogOffset, state_.layout->superblock().log_length});
  }
  std::sort(named.begin(), named.end());
  return extents;
}

absl::Status Admission::Reconcile(std::uint64_t index, DaxDevice& device) {
  if (!device.capabilities().allocates_extents) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(device.CleanUp());
  if (index == 0) FAMFS_RETURN_IF_ERROR(ReconcileNodeFiles(device));
  const auto [live, named] = ExtentsOn(index);
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Range> present,
                         device.ListExtents());
  FAMFS_RETURN_IF_ERROR(RemoveLeftovers(index, device, present, named));
  const std::vector<MediaExtent> missing =
      FindMissing(index, device, live, present);
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> malformed,
                         device.MalformedExtents());
  for (const std::string& sentence : malformed) {
    spdlog::warn("{}: left alone: {}", device.spec(), sentence);
  }
  const WriterMutexLock lock(state_.mutex);
  std::erase_if(missing_, [index](const MediaExtent& extent) {
    return extent.device_index == index;
  });
  missing_.insert(missing_.end(), missing.begin(), missing.end());
  return absl::OkStatus();
}

/// What a crash left of them: files that no node has, sizes that were not set.
absl::Status Admission::ReconcileNodeFiles(DaxDevice& device) {
  if (!device.capabilities().has_node_files) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(const std::vector<DaxDevice::NodeFile> present,
                         device.ListNodeFiles());
  absl::flat_hash_map<std::string, DaxDevice::NodeFile> named;
  {
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
    const Namespace& tree = state_.log.tree();
    for (const auto& [id, node] : tree.nodes()) {
      if (std::string name = tree.NodeFileOf(*node); !name.empty()) {
        named[name] = {name, node->size, node->tree->allocated};
      }
    }
  }
  for (const DaxDevice::NodeFile& file : present) {
    const auto it = named.find(file.name);
    if (it == named.end()) {
      spdlog::info("{}: removing {}, which is of no node", device.spec(),
                   file.name);
      if (const absl::Status removed = device.RemoveNodeFile(file.name);
          !removed.ok()) {
        spdlog::warn("{}: {} stays until the next opening: {}", device.spec(),
                     file.name, Message(removed));
      }
      continue;
    }
    // What a growth allocated that was never published.
    if (file.allocated > it->second.allocated ||
        file.size > it->second.allocated) {
      IgnoreError(device.TrimNodeFile(file.name, it->second.allocated),
                  "tried again by the next opening");
    }
    // A host that still writes it settles its size later: never cut below that
    // here.
    if (file.size < it->second.size) {
      IgnoreError(device.LengthenNodeFile(file.name, it->second.size),
                  "it reads short until the next opening");
    }
    named.erase(it);
  }
  for (const auto& [name, file] : named) {
    spdlog::error("{}: {}, the bytes of a file ({} of them), is missing",
                  device.spec(), name, file.size);
  }
  return absl::OkStatus();
}

absl::Status Admission::RemoveLeftovers(std::uint64_t index, DaxDevice& device,
                                        const std::vector<Range>& present,
                                        const std::vector<Range>& named) {
  {
    // What a successor made is none of ours to remove; what it makes from here
    // on is not among these.
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.CheckStillOwner());
  }
  for (const Range& range : present) {
    // One of another length than the log's is no leftover: it may hold a file's
    // bytes. It stays, and the file is told as missing.
    if (Overlaps(named, range)) continue;
    spdlog::info(
        "{}: removing the extent at {:#x} ({} bytes), which no entry "
        "names",
        device.spec(), range.offset, range.length);
    const absl::Status removed = device.RemoveExtent(range.offset);
    if (removed.ok()) continue;
    const MediaExtent extent{index, range.offset, range.length};
    const WriterMutexLock lock(state_.mutex);
    FAMFS_RETURN_IF_ERROR(state_.log.Take(extent));
    state_.NoteStuck(extent, removed);
  }
  return absl::OkStatus();
}

}  // namespace famfs
