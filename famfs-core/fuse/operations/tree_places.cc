#include "fuse/operations/tree_places.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>

#include "instance/tree/file_times.h"

namespace famfs {

std::int64_t ToNanoseconds(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMost =
      std::numeric_limits<std::int64_t>::max() / kSecond;
  if (time.tv_sec >= kMost) return kMost * kSecond;
  if (time.tv_sec <= -kMost) return -kMost * kSecond;
  return time.tv_sec * kSecond + time.tv_nsec;
}

std::int64_t NowNs() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return ToNanoseconds(now);
}

TreeRequest TreePlace::Request(TreeOp op) const {
  TreeRequest request;
  request.op = op;
  request.volume = volume;
  request.node = id;
  return request;
}

bool IsInTree(const Service& service, fuse_ino_t id) {
  const Reader::View tree = service.reader->Tree();
  const Node* const node = tree->Find(Inode::FromKernel(id).node);
  return node != nullptr && node->tree != nullptr;
}

int FindInTree(const Service& service, fuse_ino_t id, TreePlace& place) {
  const Reader::View tree = service.reader->Tree();
  const Node* const node = tree->Find(Inode::FromKernel(id).node);
  if (node == nullptr) return ESTALE;
  if (node->tree == nullptr) return EPERM;
  const Node* const volume = tree->VolumeOf(node->id);
  place.volume = volume->name;
  place.id = node->tree->id;
  place.node = node->id;
  place.kind =
      node->is_directory ? NodeKind::kDirectory : node->tree->record.kind;
  place.owner = node->owner;
  place.size = node->size;
  place.allocated = node->tree->allocated;
  place.truncation = node->tree->record.truncation;
  place.revision = {.number = node->tree->record.revision,
                    .session = node->tree->record.request.session};
  place.is_live =
      volume->volume != nullptr && volume->volume->state == VolumeState::kLive;
  return 0;
}

int FindForTreeChange(const Service& service, fuse_ino_t id, TreePlace& place) {
  if (service.read_only || Inode::FromKernel(id).read_only) return EROFS;
  if (const int error = FindInTree(service, id, place); error != 0) {
    return error;
  }
  return place.is_live ? 0 : EROFS;
}

namespace {

/// Of a node file that either view has open.
std::optional<TreeBytes::Look> LookAtOpen(const Service& service, NodeId node,
                                          std::int64_t& seen_mtime_ns) {
  for (const bool read_only : {false, true}) {
    const std::shared_ptr<OpenInode> file =
        service.files->Find(Inode{.read_only = read_only}.Of(node));
    if (file == nullptr || file->tree() == nullptr) continue;
    seen_mtime_ns = file->seen_mtime_ns;
    if (auto look = file->tree()->LookAtFile(); look.has_value()) return look;
  }
  return std::nullopt;
}

}  // namespace

namespace {

std::uint64_t SizeOf(const Service& service, const TreePlace& place,
                     const OpenInode& file) {
  if (const auto look = file.tree()->LookAtFile(); look.has_value()) {
    return look->size;
  }
  const auto unsettled = service.unsettled.Find(place.node);
  if (!unsettled.has_value() || unsettled->truncation < place.truncation) {
    return place.size;
  }
  return std::max(place.size, unsettled->size);
}

}  // namespace

std::uint64_t SizeOfRemoved(OpenInode& file) {
  const auto look = file.tree()->LookAtFile();
  if (look.has_value()) return look->size;
  const MutexLock lock(file.last_mutex);
  return file.last.size;
}

PlaceOfOpen FindOpen(const Service& service, OpenInode& file) {
  PlaceOfOpen place;
  const NodeId node = Inode::FromKernel(file.shape().node.id).node;
  {
    // With what is noted as stored meanwhile, or before it.
    const MutexLock lock(file.last_mutex);
    if (FindInTree(service, node, place) == 0) {
      place.own_size = SizeOf(service, place, file);
      file.last = {place.own_size, place.allocated};
      return place;
    }
    place.allocated = file.last.allocated;
  }
  place.is_removed = true;
  place.node = node;
  place.owner = file.shape().node.owner;
  place.size = place.own_size = SizeOfRemoved(file);
  return place;
}

void NoteStored(Service& service, OpenInode& file, const PlaceOfOpen& place,
                std::uint64_t end) {
  const MutexLock lock(file.last_mutex);
  service.unsettled.Stored(place.node, place.truncation, end, NowNs());
  file.last.size = std::max(file.last.size, end);
}

void ApplyUnsettled(const Service& service, const Node& node,
                    struct stat& attr) {
  if (node.is_directory || node.is_symlink()) return;
  std::int64_t mtime_ns = 0;
  std::uint64_t size = node.size;
  const auto unsettled = service.unsettled.Find(node.id);
  if (unsettled.has_value()) {
    mtime_ns = unsettled->mtime_ns;
    if (unsettled->truncation >= node.tree->record.truncation) {
      size = std::max(size, unsettled->size);
    }
  }
  std::int64_t seen_ns = 0;
  if (const auto look = LookAtOpen(service, node.id, seen_ns);
      look.has_value()) {
    size = look->size;
    if (look->mtime_ns > seen_ns) mtime_ns = std::max(mtime_ns, look->mtime_ns);
  }
  attr.st_size = static_cast<off_t>(size);
  if (mtime_ns == 0) return;
  const NodeRecord& record = node.tree->record;
  attr.st_mtim = ToTimespec(MtimeAfterStore(record, mtime_ns));
  attr.st_ctim = ToTimespec(std::max(record.ctime_ns, mtime_ns));
}

namespace {

std::uint32_t WithoutPrivileges(std::uint32_t mode) {
  mode &= ~static_cast<std::uint32_t>(S_ISUID);
  // Without the group's right to execute it means something else.
  if ((mode & S_IXGRP) != 0) mode &= ~static_cast<std::uint32_t>(S_ISGID);
  return mode;
}

// What another host does to the file's pieces meanwhile; who uses them looks
// how much there is.
constexpr int kMostFollows = 8;

}  // namespace

void SetOwner(const struct stat& asked, int to_set, TreeRequest& change) {
  if ((to_set & FUSE_SET_ATTR_UID) != 0) {
    change.set |= kSetUid;
    change.uid = asked.st_uid;
  }
  if ((to_set & FUSE_SET_ATTR_GID) != 0) {
    change.set |= kSetGid;
    change.gid = asked.st_gid;
  }
}

bool DropPrivileges(const TreePlace& place, TreeRequest& change) {
  const std::uint32_t mode =
      (change.set & kSetMode) != 0 ? change.mode : place.owner.mode;
  const std::uint32_t kept = WithoutPrivileges(mode);
  if (kept == mode) return false;
  change.set |= kSetMode;
  change.mode = kept;
  return true;
}

// What is cut off is let go of after each open file was followed
// (FollowPieces): so none may map it any more once that has had its turn.
int FollowFile(const Service& service, OpenInode& file) {
  if (file.tree()->fd() >= 0) return 0;
  const MutexLock lock(file.following);
  for (int i = 0; i < kMostFollows; ++i) {
    std::optional<FileShape> now;
    {
      const Reader::View tree = service.reader->Tree();
      const Node* const node =
          tree->Find(Inode::FromKernel(file.shape().node.id).node);
      if (node == nullptr) return 0;  // removed: it stays as it was
      if (file.tree()->Maps(node->extents)) return 0;
      now = FileShape::Of(*node, *tree);
    }
    now->read_only = file.shape().read_only;
    const absl::Status followed = file.tree()->Follow(*now);
    if (!followed.ok()) return service.NoteMissing(file.shape(), followed);
  }
  return 0;
}

}  // namespace famfs
