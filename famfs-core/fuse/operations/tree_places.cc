#include "fuse/operations/tree_places.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace famfs {

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

std::uint64_t SizeOf(const Service& service, const TreePlace& place,
                     const OpenInode* file) {
  if (file != nullptr) {
    if (const auto look = file->tree()->LookAtFile(); look.has_value()) {
      return look->size;
    }
  }
  const auto unsettled = service.unsettled.Find(place.node);
  if (!unsettled.has_value() || unsettled->truncation < place.truncation) {
    return place.size;
  }
  return std::max(place.size, unsettled->size);
}

std::uint64_t SizeOfRemoved(const OpenInode& file) {
  const auto look = file.tree()->LookAtFile();
  return look.has_value() ? look->size : file.last_size.load();
}

PlaceOfOpen FindOpen(const Service& service, OpenInode& file) {
  PlaceOfOpen place;
  const NodeId node = Inode::FromKernel(file.shape().node.id).node;
  if (FindInTree(service, node, place) == 0) {
    file.last_size = SizeOf(service, place, &file);
    file.last_allocated = place.allocated;
    return place;
  }
  place.is_removed = true;
  place.node = node;
  place.owner = file.shape().node.owner;
  place.size = SizeOfRemoved(file);
  place.allocated = file.last_allocated;
  return place;
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
  if (mtime_ns > ToNanoseconds(attr.st_mtim)) {
    attr.st_mtim = ToTimespec(mtime_ns);
  }
  if (mtime_ns > ToNanoseconds(attr.st_ctim)) {
    attr.st_ctim = ToTimespec(mtime_ns);
  }
}

std::uint32_t WithoutPrivileges(std::uint32_t mode) {
  mode &= ~static_cast<std::uint32_t>(S_ISUID);
  // Without the group's right to execute it means something else.
  if ((mode & S_IXGRP) != 0) mode &= ~static_cast<std::uint32_t>(S_ISGID);
  return mode;
}

int FollowFile(const Service& service, OpenInode& file) {
  if (file.tree()->fd() >= 0) return 0;
  std::optional<FileShape> now;
  {
    const Reader::View tree = service.reader->Tree();
    const Node* const node =
        tree->Find(Inode::FromKernel(file.shape().node.id).node);
    if (node == nullptr) return 0;  // removed: it stays as it was
    now = FileShape::Of(*node, *tree);
  }
  now->read_only = file.shape().read_only;
  const absl::Status followed = file.tree()->Follow(*now);
  return followed.ok() ? 0 : service.NoteMissing(file.shape(), followed);
}

}  // namespace famfs
