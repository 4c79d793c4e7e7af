// What changes a file of a tree volume, or the attributes of any node: growing,
// cutting, settling its size.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

#include "base/units.h"
#include "instance/devices/mapped_file.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/tree_changes.h"

namespace famfs {
namespace {

/// A file doubles, but never by more at once.
constexpr std::uint64_t kMaxGrowth = kGiB;

/// Bytes; everybody else waits as long.
constexpr std::uint64_t kZeroAtOnce = 8 * kMiB;

/// How many of the first pieces hold bytes before `size`.
std::uint32_t PiecesBelow(const Node& node, std::uint64_t size) {
  std::uint64_t start = 0;
  std::uint32_t kept = 0;
  std::size_t extent = 0;
  for (const TreeNode::Piece& piece : node.tree->pieces) {
    if (start >= size) break;
    for (std::uint32_t i = 0; i < piece.extents; ++i) {
      start += node.extents[extent++].length;
    }
    ++kept;
  }
  return kept;
}

std::uint64_t BytesOf(const Claim& claim) {
  std::uint64_t bytes = 0;
  for (const MediaExtent& extent : claim.extents) bytes += extent.length;
  return bytes;
}

void SetOwner(const TreeRequest& wanted, Ownership& owner) {
  if ((wanted.set & kSetMode) != 0) owner.mode = wanted.mode & 07777;
  if ((wanted.set & kSetUid) != 0) owner.uid = wanted.uid;
  if ((wanted.set & kSetGid) != 0) owner.gid = wanted.gid;
}

}  // namespace

int TreeChanges::PlanVolumeAttributes(const Node& volume, Step& step) const {
  if ((step.request.set & kSetSize) != 0) return EISDIR;
  Ownership owner = volume.owner;
  SetOwner(step.request, owner);
  VolumeAttributes attributes = *volume.volume;
  ++attributes.revision;
  MediaEntry entry = NewMkdirEntry(volume.name, owner);
  if (!EncodeVolumeAttributes(attributes, entry.mkdir).ok()) return EINVAL;
  step.entries.push_back(entry);
  return 0;
}

int TreeChanges::PlanAttributes(const Node& volume, Step& step) {
  const TreeRequest& wanted = step.request;
  if (wanted.node == kVolumeRoot) return PlanVolumeAttributes(volume, step);
  const Node* node = tree().FindTreeNode(volume, wanted.node);
  if (node == nullptr) return ESTALE;
  NodeRecord record = Revise(*node, step);
  Ownership owner = node->owner;
  SetOwner(wanted, owner);
  if ((wanted.set & kSetMtime) != 0) record.mtime_ns = wanted.mtime_ns;
  if ((wanted.set & kSetSize) != 0) {
    if (record.kind != NodeKind::kFile) {
      return record.kind == NodeKind::kDirectory ? EISDIR : EINVAL;
    }
    // It was extended before: less is there only if it was cut meanwhile.
    if (wanted.size > node->tree->allocated) return EAGAIN;
    if (wanted.size < record.size) {
      ++record.truncation;
      record.kept_pieces = PiecesBelow(*node, wanted.size);
      if (record.kept_pieces < node->tree->pieces.size()) {
        if (const int error = NumberDeletion(record); error != 0) return error;
      }
    }
    record.size = wanted.size;
    if ((wanted.set & kSetMtime) == 0) record.mtime_ns = step.now_ns;
  }
  return AddRecord(volume, wanted.node, record, owner, step);
}

/// At least so many bytes, as of that truncation: hosts settle in any order.
int TreeChanges::PlanSettle(const Node& volume, Step& step) const {
  const TreeRequest& wanted = step.request;
  const Node* node = tree().FindTreeNode(volume, wanted.node);
  if (node == nullptr) return ESTALE;
  if (node->tree->record.kind != NodeKind::kFile) return EINVAL;
  NodeRecord record = Revise(*node, step);
  const bool is_old = wanted.truncation < record.truncation;
  const std::uint64_t size =
      is_old ? record.size : std::max(record.size, wanted.size);
  if (size > node->tree->allocated) return EINVAL;
  const std::int64_t mtime = std::max(record.mtime_ns, wanted.mtime_ns);
  if (size == record.size && mtime == record.mtime_ns) return 0;
  record.size = size;
  record.mtime_ns = mtime;
  record.ctime_ns = std::max(node->tree->record.ctime_ns, mtime);
  return AddRecord(volume, wanted.node, record, node->owner, step);
}

int TreeChanges::Resize(Step& step) {
  if (!HasNodeFiles()) {
    if (const int error = ZeroTail(step, step.request.size); error != 0) {
      return error;
    }
  }
  const int error = Extend(step, step.request.size);
  return error == 0 ? Change(step) : error;
}

// What lies behind a file's end is not zero: stores through a mapping, what a
// dead host wrote and never settled, what a cut left.
int TreeChanges::ZeroTail(const Step& step, std::uint64_t end) const {
  Node shape;
  std::uint64_t at = 0;
  std::uint32_t truncation = 0;
  {
    const ReaderMutexLock lock(state_.mutex);
    int error = 0;
    const Node* volume = FindVolume(step, error);
    if (volume == nullptr) return error;
    const Node* node = tree().FindTreeNode(*volume, step.request.node);
    if (node == nullptr) return ESTALE;
    if (node->tree->record.kind != NodeKind::kFile) return 0;  // Change's
    at = node->size;
    truncation = node->tree->record.truncation;
    shape.size = std::min(end, node->tree->allocated);
    shape.extents = node->extents;
  }
  if (shape.size <= at) return 0;
  const absl::StatusOr<MappedFile> mapped =
      MappedFile::Map(*state_.devices, shape, Access::kReadWrite);
  if (!mapped.ok()) return EIO;
  while (at < shape.size) {
    const int error = ZeroStep(step, *mapped, truncation, shape.size, at);
    if (error != 0) return error;
  }
  return mapped->Check().ok() ? 0 : EIO;
}

// Under the lock, and only after a look at everything: what was settled
// meanwhile is somebody's bytes, what was cut may be another file's by now, and
// all of it is a successor's when this writer was overtaken.
int TreeChanges::ZeroStep(const Step& step, const MappedFile& mapped,
                          std::uint32_t truncation, std::uint64_t end,
                          std::uint64_t& at) const {
  const WriterMutexLock lock(state_.mutex);
  int error = 0;
  const Node* volume = FindVolume(step, error);
  if (volume == nullptr) return error;
  const Node* node = tree().FindTreeNode(*volume, step.request.node);
  if (node == nullptr) return ESTALE;
  if (node->tree->record.truncation != truncation) return EAGAIN;
  if (!state_.log.CheckStillOwner().ok()) return EIO;
  at = std::max(at, node->size);
  if (at >= end) return 0;
  const std::uint64_t length = std::min(kZeroAtOnce, end - at);
  for (const MappedFile::Piece& piece : mapped.Pieces(at, length)) {
    piece.mapping->ZeroStreaming(piece.at, piece.length);
  }
  at += length;
  return 0;
}

int TreeChanges::Extend(Step& step, std::uint64_t bytes) {
  const bool announced = step.request.op == TreeOp::kSetAttributes ||
                         (step.request.flags & kExtendExactly) != 0;
  int error = TryExtend(step, bytes, announced);
  if (error == ENOSPC && !announced) error = TryExtend(step, bytes, true);
  if (error != ENOSPC || !reclamation_.Helps()) return error;
  return reclamation_.Run().ok() ? TryExtend(step, bytes, true) : error;
}

std::uint64_t TreeChanges::GrowthOf(const Node& volume, const Node& node,
                                    std::uint64_t bytes, bool exact,
                                    int& error) const {
  const std::uint64_t capacity = volume.volume->capacity;
  const std::uint64_t allocated = node.tree->allocated;
  error = 0;
  if (bytes <= allocated) return 0;
  const std::uint64_t used = state_.log.player().UsageOf(volume.name).bytes;
  const std::uint64_t left = capacity - std::min(capacity, used);
  error = ENOSPC;
  if (bytes > capacity || bytes - allocated > left) return 0;
  error = 0;
  const std::uint64_t needed = RoundUp(bytes - allocated, kAllocUnit);
  if (exact) return needed;
  const std::uint64_t doubled = std::min(allocated, kMaxGrowth);
  return std::min(std::max(needed, doubled), left / kAllocUnit * kAllocUnit);
}

int TreeChanges::TryExtend(Step& step, std::uint64_t bytes, bool exact) {
  Wanted wanted;
  std::uint64_t allocated = 0;
  {
    const ReaderMutexLock lock(state_.mutex);
    int error = 0;
    const Node* volume = FindVolume(step, error);
    if (volume == nullptr) return error;
    const Node* node = tree().FindTreeNode(*volume, step.request.node);
    if (node == nullptr) return ESTALE;
    if (node->tree->record.kind != NodeKind::kFile) {
      return node->is_directory ? EISDIR : EINVAL;
    }
    wanted.size = GrowthOf(*volume, *node, bytes, exact, error);
    if (wanted.size == 0) return error;
    allocated = node->tree->allocated;
    wanted.path = NodePath(volume->name, node->tree->id);
  }
  wanted.max_extents = kMaxExtents;
  wanted.slots = 2;  // the piece, and the revision
  wanted.is_piece = true;
  const absl::StatusOr<Claim> claim = creations_.ReserveNow(wanted);
  if (!claim.ok()) {
    return absl::IsResourceExhausted(claim.status()) ? ENOSPC : EAGAIN;
  }
  int error = HasNodeFiles() ? AllocateFile(step, {allocated, wanted.size}) : 0;
  if (error == 0) return PublishGrowth(step, *claim);
  creations_.GiveUp(*claim);
  return error;
}

int TreeChanges::PublishGrowth(Step& step, const Claim& claim) {
  int error = 0;
  const absl::Status published = creations_.PublishWith(
      claim, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
        step.entries.clear();
        step.more = 1;
        const Node* volume = FindVolume(step, error);
        const Node* node =
            volume == nullptr ? nullptr
                              : tree().FindTreeNode(*volume, step.request.node);
        if (error == 0 && node == nullptr) error = ESTALE;
        if (error != 0) return NotFound("the file is gone");
        // Two files of one volume may have grown side by side.
        if (state_.log.player().UsageOf(volume->name).bytes + BytesOf(claim) >
            volume->volume->capacity) {
          error = ENOSPC;
          return ResourceExhausted("the volume is full");
        }
        NodeRecord record = Revise(*node, step);
        step.entries.push_back(NewPieceEntry(
            PiecePath(volume->name, node->tree->id, record.next_piece),
            claim.extents));
        ++record.next_piece;
        // The mark says that all is done, and of a change of size this is the
        // first half.
        if (step.request.op != TreeOp::kExtend) record.request = {};
        error = AddRecord(*volume, node->tree->id, record, node->owner, step);
        if (error == 0) error = CheckSlots(*volume, step);
        if (error != 0) return ResourceExhausted("no slots");
        return state_.log.Append(step.entries, claim.extents);
      });
  if (published.ok()) return 0;
  return error != 0 ? error : EIO;
}

int TreeChanges::AllocateFile(const Step& step, Range grown) const {
  const std::string file = NodeFileName(step.request.volume, step.request.node);
  const absl::Status allocated = state_.device->AllocateNodeFile(file, grown);
  if (allocated.ok()) return 0;
  spdlog::error("{}: {} more for a file: {}", state_.device->spec(),
                FormatSize(grown.length), Message(allocated));
  return absl::IsResourceExhausted(allocated) ? ENOSPC : EIO;
}

int TreeChanges::SetFileSize(const Step& step) const {
  if (!HasNodeFiles() || step.request.node == kVolumeRoot) return 0;
  std::uint64_t size = 0;
  std::uint64_t allocated = 0;
  {
    const ReaderMutexLock lock(state_.mutex);
    int error = 0;
    const Node* volume = FindVolume(step, error);
    if (volume == nullptr) return error;
    const Node* node = tree().FindTreeNode(*volume, step.request.node);
    if (node == nullptr) return 0;  // removed meanwhile
    size = node->tree->record.size;
    allocated = node->tree->allocated;
  }
  const std::string file = NodeFileName(step.request.volume, step.request.node);
  const absl::Status sized =
      state_.device->ResizeNodeFile(file, size, allocated);
  if (sized.ok()) return 0;
  spdlog::error("{}: a file's size is not set: {}", state_.device->spec(),
                Message(sized));
  return absl::IsResourceExhausted(sized) ? ENOSPC : EIO;
}

}  // namespace famfs
