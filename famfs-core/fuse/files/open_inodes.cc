#include "fuse/files/open_inodes.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>

namespace famfs {
namespace {

// Opening takes microseconds, or as long as another process keeps an extent's
// file locked (dax/extent_pin.h: two seconds).
constexpr std::chrono::seconds kPatience{5};

}  // namespace

bool CanPassThrough(const FileShape& shape, DeviceSet& devices) {
  if (shape.in_tree()) return devices.primary()->capabilities().has_node_files;
  if (shape.node.extents.size() != 1 || shape.node.chunk() != 0) return false;
  const auto device = devices.Find(shape.node.extents[0].device_index);
  return device != nullptr && device->capabilities().can_pass_through;
}

OpenInodes::~OpenInodes() {
  for (const auto& [id, slot] : files_) Close(*slot.file);
}

bool OpenInodes::IsBusy(NodeId id) const {
  const auto found = files_.find(id);
  return found != files_.end() && found->second.busy;
}

absl::StatusOr<std::shared_ptr<OpenInode>> OpenInodes::Join(
    const FileShape& shape, std::shared_ptr<OpenInode>& begun) {
  const NodeId id = shape.node.id;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  const WriterMutexLock lock(mutex_);
  while (IsBusy(id) && finished_.WaitUntil(mutex_, end)) {
  }
  if (IsBusy(id)) {
    return Unavailable(
        "another open of the file has not ended for {} s; does its device "
        "answer?",
        kPatience.count());
  }
  Slot& slot = files_[id];
  if (slot.file == nullptr) {
    slot.file = begun = std::make_shared<OpenInode>(shape);
    slot.busy = true;
    return nullptr;
  }
  if (slot.removed) {
    return FailedPrecondition("a deleted file of the same name is open");
  }
  ++slot.opens;
  return slot.file;
}

void OpenInodes::Finish(OpenInode& file, bool is_open) {
  {
    const WriterMutexLock lock(mutex_);
    const auto slot = files_.find(file.shape_.node.id);
    slot->second.busy = false;
    slot->second.opens = is_open ? 1 : 0;
    if (!is_open) files_.erase(slot);
  }
  finished_.NotifyAll();
}

absl::StatusOr<std::shared_ptr<OpenInode>> OpenInodes::Open(
    const FileShape& shape, bool passthrough) {
  std::shared_ptr<OpenInode> begun;
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<OpenInode> joined, Join(shape, begun));
  if (joined != nullptr) return joined;
  const absl::Status status = Prepare(*begun, passthrough);
  if (!status.ok()) Close(*begun);
  Finish(*begun, status.ok());
  FAMFS_RETURN_IF_ERROR(status);
  return begun;
}

absl::Status OpenInodes::PrepareTree(OpenInode& file, bool passthrough) const {
  const FileShape& shape = file.shape_;
  const std::shared_ptr<DaxDevice> device = devices_->primary();
  if (!device->capabilities().has_node_files) {
    FAMFS_ASSIGN_OR_RETURN(file.tree_, MapPieces(devices_, shape));
    return absl::OkStatus();
  }
  FAMFS_ASSIGN_OR_RETURN(
      file.tree_, OpenNodeFileBytes(*device, shape.node_file, shape.read_only));
  if (!shape.read_only) file.served_on_ = device;
  file.seen_mtime_ns =
      file.tree_->LookAtFile().value_or(TreeBytes::Look{}).mtime_ns;
  if (!passthrough) return absl::OkStatus();
  file.exact_ = true;
  FAMFS_ASSIGN_OR_RETURN(file.backing_id_, wire_.OpenBacking(file.tree_->fd()));
  return absl::OkStatus();
}

absl::Status OpenInodes::Prepare(OpenInode& file, bool passthrough) const {
  const FileShape& shape = file.shape_;
  if (shape.in_tree()) return PrepareTree(file, passthrough);
  // Passed-through memory is the page cache of this machine: coherent.
  FAMFS_ASSIGN_OR_RETURN(file.memory_,
                         FileMemory::Map(*devices_, shape, !passthrough));
  if (!passthrough) return absl::OkStatus();
  const MediaExtent& only = shape.node.extents[0];
  FAMFS_ASSIGN_OR_RETURN(const auto device, devices_->At(only.device_index));
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd extent,
                         shape.is_meta() ? device->OpenExtent(only.offset)
                                         : device->ServeExtent(only.offset));
  if (!shape.is_meta()) file.served_on_ = device;
  struct stat info = {};
  if (::fstat(extent.get(), &info) != 0) {
    return ErrnoError(errno, "fstat of an extent's file");
  }
  file.exact_ = static_cast<std::uint64_t>(info.st_size) == shape.size();
  FAMFS_ASSIGN_OR_RETURN(file.backing_id_, wire_.OpenBacking(extent.get()));
  return absl::OkStatus();
}

void OpenInodes::Close(OpenInode& file) const {
  if (file.backing_id_ > 0) wire_.CloseBacking(file.backing_id_);
  if (file.served_on_ == nullptr) return;
  // A mapping may live on without any descriptor.
  if (file.shape_.in_tree()) {
    still_mapped_.Add(file.served_on_, file.shape_.node_file);
  } else {
    still_mapped_.Add(file.served_on_, file.shape_.node.extents[0].offset);
  }
}

void OpenInodes::Release(NodeId id) {
  std::shared_ptr<OpenInode> last;
  {
    const WriterMutexLock lock(mutex_);
    const auto found = files_.find(id);
    // A release that nobody's open belongs to is not to end one that begins.
    if (found == files_.end() || found->second.busy ||
        --found->second.opens > 0) {
      return;
    }
    last = found->second.file;
    found->second.busy = true;
  }
  // Where its places are looked up it counts as open until this is done.
  Close(*last);
  Finish(*last, false);
}

std::shared_ptr<OpenInode> OpenInodes::Find(NodeId id) const {
  const ReaderMutexLock lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end() || found->second.busy) return nullptr;
  return found->second.file;
}

void OpenInodes::MarkRemoved(NodeId id) {
  const WriterMutexLock lock(mutex_);
  if (const auto found = files_.find(id); found != files_.end()) {
    found->second.removed = true;
  }
}

std::vector<std::shared_ptr<OpenInode>> OpenInodes::TreeFiles() const {
  std::vector<std::shared_ptr<OpenInode>> files;
  const ReaderMutexLock lock(mutex_);
  for (const auto& [id, slot] : files_) {
    if (slot.file->shape_.in_tree() && !slot.busy) files.push_back(slot.file);
  }
  return files;
}

absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>>
OpenInodes::OpenPlaces() const {
  absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>> places;
  const ReaderMutexLock lock(mutex_);
  for (const auto& [id, slot] : files_) {
    const FileShape& shape = slot.file->shape_;
    if (shape.is_meta()) continue;
    if (shape.in_tree()) {
      // While it is being opened, all that it may come to map.
      if (slot.file->tree_ != nullptr && !slot.busy) {
        for (const auto& place : slot.file->tree_->Places()) {
          places.insert(place);
        }
        continue;
      }
    }
    for (const MediaExtent& extent : shape.node.extents) {
      places.emplace(extent.device_index, extent.offset);
    }
  }
  return places;
}

}  // namespace famfs
