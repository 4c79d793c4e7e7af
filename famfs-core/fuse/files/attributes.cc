#include "fuse/files/attributes.h"

#include <algorithm>
#include <ctime>

#include "instance/tree/promised_slots.h"
#include "media/format.h"

namespace famfs {
namespace {

constexpr blksize_t kBlockSize = 4096;     // bytes, of stat
constexpr std::uint64_t kFragment = 4096;  // bytes, of statfs
constexpr unsigned long kMaxName = kMaxPathLength;

timespec FromNanoseconds(std::uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000),
          static_cast<long>(ns % 1'000'000'000)};
}

struct stat Basics(const Node& node) {
  struct stat attr = {};
  attr.st_ino = node.id;
  attr.st_uid = node.owner.uid;
  attr.st_gid = node.owner.gid;
  attr.st_blksize = kBlockSize;
  const std::uint32_t shown = node.tree != nullptr || node.volume != nullptr
                                  ? kShownTreeMode
                                  : kShownMode;
  if (node.is_directory) {
    attr.st_mode = S_IFDIR | (node.owner.mode & shown);
    attr.st_nlink = 1;  // subdirectories are not counted, as find(1) knows
    return attr;
  }
  attr.st_mode =
      node.is_symlink() ? S_IFLNK | 0777U : S_IFREG | (node.owner.mode & shown);
  attr.st_nlink = 1;
  attr.st_size = static_cast<off_t>(node.size);
  std::uint64_t allocated = 0;
  for (const MediaExtent& extent : node.extents) allocated += extent.length;
  attr.st_blocks = static_cast<blkcnt_t>(allocated / 512);
  return attr;
}

}  // namespace

timespec ToTimespec(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const bool is_before = ns % kSecond < 0;
  return {static_cast<time_t>(ns / kSecond - (is_before ? 1 : 0)),
          static_cast<long>(ns % kSecond + (is_before ? kSecond : 0))};
}

Attributes::Attributes() { ::clock_gettime(CLOCK_REALTIME, &start_); }

struct stat Attributes::Of(const Node& node, const Namespace& tree) const {
  struct stat attr = Basics(node);
  const Node* volume = tree.VolumeOf(node.id);
  const bool dated = volume != nullptr && volume->volume != nullptr &&
                     volume->volume->created_unix_ns != 0;
  if (node.tree != nullptr && node.tree->record.ctime_ns != 0) {
    attr.st_mtim = attr.st_atim = ToTimespec(node.tree->record.mtime_ns);
    attr.st_ctim = ToTimespec(node.tree->record.ctime_ns);
    return attr;
  }
  ApplyTimes(node.id,
             dated ? FromNanoseconds(volume->volume->created_unix_ns) : start_,
             attr);
  return attr;
}

struct stat Attributes::OfRemoved(const FileShape& shape) const {
  struct stat attr = Basics(shape.node);
  attr.st_nlink = 0;
  ApplyTimes(shape.node.id, start_, attr);
  return attr;
}

void Attributes::ApplyTimes(NodeId id, timespec created,
                            struct stat& attr) const {
  attr.st_atim = attr.st_mtim = attr.st_ctim = created;
  const MutexLock lock(mutex_);
  if (const auto set = times_.find(id); set != times_.end()) {
    attr.st_atim = set->second.access;
    attr.st_mtim = set->second.change;
  }
}

void Attributes::SetTimes(NodeId id, const timespec& access,
                          const timespec& change) {
  const MutexLock lock(mutex_);
  times_[id] = Times{access, change};
}

void Attributes::Forget(NodeId id) {
  const MutexLock lock(mutex_);
  times_.erase(id);
}

struct statvfs TreeStatfs(std::uint64_t capacity, const TreeUsage& usage) {
  const std::uint64_t slots = TreeSlots(capacity);
  struct statvfs figures = {};
  figures.f_bsize = figures.f_frsize = kFragment;
  figures.f_blocks = capacity / kFragment;
  figures.f_bfree = figures.f_bavail =
      (capacity - std::min(capacity, usage.bytes)) / kFragment;
  figures.f_files = slots;
  figures.f_ffree = figures.f_favail = slots - std::min(slots, usage.entries);
  figures.f_namemax = kMaxNodeName;
  return figures;
}

struct statvfs VolumeStatfs(const Node& volume) {
  const std::uint64_t capacity =
      volume.volume == nullptr ? 0 : volume.volume->capacity;
  struct statvfs figures = {};
  figures.f_bsize = figures.f_frsize = kFragment;
  figures.f_blocks = figures.f_bfree = figures.f_bavail = capacity / kFragment;
  // No inode figures: a volume's names are given, so none can run out, and
  // "all in use" would alarm whoever watches them.
  figures.f_namemax = kMaxName;
  return figures;
}

struct statvfs PoolStatfs(const PoolFigures& pool, std::size_t nodes) {
  struct statvfs figures = {};
  figures.f_bsize = figures.f_frsize = kFragment;
  figures.f_blocks = pool.size / kFragment;
  figures.f_bfree = figures.f_bavail = (pool.free - pool.unbacked) / kFragment;
  figures.f_files = nodes + (pool.slots - pool.entries);
  figures.f_ffree = figures.f_favail = pool.slots - pool.entries;
  figures.f_namemax = kMaxName;
  return figures;
}

}  // namespace famfs
