// What changes a file of a tree volume, or the attributes of any node: growing,
// cutting, settling its size.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/units.h"
#include "instance/devices/mapped_file.h"
#include "instance/tree/file_times.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/tree_changes.h"

namespace famfs {
namespace {

/// A file doubles, but never by more at once; what was announced grows in as
/// many steps as it takes, so that the lock is held for none of them long. The
/// requests of hosts wait for all of them: one thread answers.
constexpr std::uint64_t kMaxGrowth = kGiB;

/// Bytes, more than any file has: off_t ends there.
constexpr std::uint64_t kMaxFile = ~std::uint64_t{0} >> 1;

/// The piece, and the revision.
constexpr std::uint64_t kGrowthSlots = 2;

constexpr std::uint32_t kLastRevision =
    std::numeric_limits<std::uint32_t>::max();

/// Bytes; who wants the lock waits as long.
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
  // The last one is that of its deletion.
  if (attributes.revision >= kLastRevision - 1) {
    return UsedUp(volume.name, "its revision");
  }
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
    const std::uint32_t kept = PiecesBelow(*node, wanted.size);
    const bool drops = kept < node->tree->pieces.size();
    // To its own size: then what was allocated behind it is given back.
    if (wanted.size < record.size || (wanted.size == record.size && drops)) {
      if (++record.truncation == 0) {
        return UsedUp(volume.name, "a file's truncation number");
      }
      record.kept_pieces = kept;
      if (drops) {
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
  const std::int64_t stored = wanted.mtime_ns;  // 0: nobody knows
  const std::int64_t mtime = stored == 0
                                 ? record.mtime_ns
                                 : MtimeAfterStore(node->tree->record, stored);
  if (size == record.size && mtime == record.mtime_ns) return 0;
  record.size = size;
  record.mtime_ns = mtime;
  record.ctime_ns = std::max(node->tree->record.ctime_ns, stored);
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
  std::uint64_t at = 0;
  while (at < end) {
    int error = 0;
    const std::optional<Tail> tail = MapTail(step, end, at, error);
    if (!tail) return error;
    while (at < tail->end) {
      if (error = ZeroStep(step, *tail, at); error != 0) return error;
    }
    if (!tail->mapped.Check().ok()) return EIO;
  }
  return 0;
}

std::optional<TreeChanges::Tail> TreeChanges::MapTail(const Step& step,
                                                      std::uint64_t end,
                                                      std::uint64_t& at,
                                                      int& error) const {
  Node shape;
  Tail tail;
  {
    const ReaderMutexLock lock(state_.mutex);
    const Node* volume = FindVolume(step, error);
    if (volume == nullptr) return std::nullopt;
    const Node* node = tree().FindTreeNode(*volume, step.request.node);
    error = node == nullptr ? ESTALE : 0;
    // Of anything but a file it is Change's to tell.
    if (node == nullptr || node->tree->record.kind != NodeKind::kFile) {
      return std::nullopt;
    }
    at = std::max(at, node->size);
    tail.end = std::min({end, node->tree->allocated, at + kMaxGrowth});
    tail.truncation = node->tree->record.truncation;
    if (at >= tail.end) return std::nullopt;
    std::uint64_t start = 0;
    for (const MediaExtent& extent : node->extents) {
      if (start + extent.length <= at) tail.start = start + extent.length;
      if (start < tail.end && start + extent.length > at) {
        shape.extents.append(std::span(&extent, 1));
      }
      start += extent.length;
    }
    shape.size = tail.end - tail.start;
  }
  absl::StatusOr<MappedFile> mapped =
      MappedFile::Map(*state_.devices, shape, Access::kReadWrite);
  if (!mapped.ok()) {
    error = EIO;
    return std::nullopt;
  }
  tail.mapped = *std::move(mapped);
  return tail;
}

// Under the lock, and only after a look at everything: what was settled
// meanwhile is somebody's bytes, what was cut may be another file's by now, and
// all of it is a successor's when this writer was overtaken.
int TreeChanges::ZeroStep(const Step& step, const Tail& tail,
                          std::uint64_t& at) const {
  const WriterMutexLock lock(state_.mutex);
  int error = 0;
  const Node* volume = FindVolume(step, error);
  if (volume == nullptr) return error;
  const Node* node = tree().FindTreeNode(*volume, step.request.node);
  if (node == nullptr) return ESTALE;
  if (node->tree->record.truncation != tail.truncation) return EAGAIN;
  if (!state_.log.CheckStillOwner().ok()) return EIO;
  at = std::max(at, node->size);
  if (at >= tail.end) return 0;
  const std::uint64_t length = std::min(kZeroAtOnce, tail.end - at);
  for (const MappedFile::Piece& piece :
       tail.mapped.Pieces(at - tail.start, length)) {
    piece.mapping->ZeroStreaming(piece.at, piece.length);
  }
  at += length;
  return 0;
}

int TreeChanges::Extend(Step& step, std::uint64_t bytes) {
  const bool announced = step.request.op == TreeOp::kSetAttributes ||
                         (step.request.flags & kExtendExactly) != 0;
  int error = ExtendAll(step, bytes, announced);
  if (error == ENOSPC && !announced) error = ExtendAll(step, bytes, true);
  return AfterReclaim(error, step,
                      [&] { return ExtendAll(step, bytes, true); });
}

int TreeChanges::ExtendAll(Step& step, std::uint64_t bytes, bool exact) {
  bool is_last = false;
  while (!is_last) {
    const int error = TryExtend(step, bytes, exact, is_last);
    if (error != 0) return error;
  }
  return 0;
}

int TreeChanges::FindGrowth(Step& step, std::uint64_t bytes, bool exact,
                            Room& room) const {
  int error = 0;
  step.is_own_limit = false;
  const Node* volume = FindVolume(step, error);
  if (volume == nullptr) return error;
  const Node* node = tree().FindTreeNode(*volume, step.request.node);
  if (node == nullptr) return ESTALE;
  if (node->tree->record.kind != NodeKind::kFile) {
    return node->is_directory ? EISDIR : EINVAL;
  }
  room = {.allocated = node->tree->allocated,
          .truncation = node->tree->record.truncation};
  if (bytes <= room.allocated) return 0;
  const std::uint64_t missing = bytes - room.allocated;
  const std::uint64_t needed =
      missing > kMaxFile ? missing : RoundUp(missing, kAllocUnit);
  // Before memory is made for it: all of it, not the next piece alone.
  if (error = CheckCapacity(*volume, needed, step); error != 0) return error;
  const std::uint64_t steps = (needed - 1) / kMaxGrowth + 1;
  step.more = steps;
  error = CheckSlots(*volume, steps * kGrowthSlots, step);
  NodeRecord record = node->tree->record;
  std::uint32_t number = 0;
  if (error == 0) error = TakePiece(*volume, *node, record, number);
  if (error != 0) return error;
  const std::uint64_t capacity = volume->volume->capacity;
  const std::uint64_t used = state_.log.player().UsageOf(volume->name).bytes;
  const std::uint64_t left = capacity - std::min(capacity, used);
  room.growth = std::min(needed, kMaxGrowth);
  room.is_last = needed <= kMaxGrowth;
  if (exact) return 0;
  const std::uint64_t doubled = std::min(room.allocated, kMaxGrowth);
  room.growth =
      std::max(room.growth, std::min(doubled, left / kAllocUnit * kAllocUnit));
  return 0;
}

int TreeChanges::TryExtend(Step& step, std::uint64_t bytes, bool exact,
                           bool& is_last) {
  Wanted wanted;
  Room room;
  {
    const ReaderMutexLock lock(state_.mutex);
    const int error = FindGrowth(step, bytes, exact, room);
    is_last = room.is_last;
    if (error != 0 || room.growth == 0) return error;
    wanted.path = NodePath(step.request.volume, step.request.node);
  }
  wanted.size = room.growth;
  wanted.max_extents = kMaxExtents;
  wanted.slots = kGrowthSlots;
  wanted.is_piece = true;
  const absl::StatusOr<Claim> claim = creations_.ReserveNow(wanted);
  if (!claim.ok()) {
    return absl::IsResourceExhausted(claim.status()) ? ENOSPC : EAGAIN;
  }
  int error =
      HasNodeFiles() ? AllocateFile(step, {room.allocated, room.growth}) : 0;
  if (error == 0) {
    error = PublishGrowth(step, *claim, room);
  } else {
    creations_.GiveUp(*claim);
  }
  if (error != 0 && HasNodeFiles()) TrimFile(step);
  return error;
}

int TreeChanges::TakePiece(const Node& volume, const Node& node,
                           NodeRecord& record, std::uint32_t& number) const {
  // A dead piece has a lower number, unless the log is damaged or hostile.
  const PendingVolumes& pending = state_.log.player().pending();
  number = record.next_piece;
  while (number != kNoPiece &&
         pending.contains(PiecePath(volume.name, node.tree->id, number))) {
    ++number;
  }
  if (number == kNoPiece) return UsedUp(volume.name, "a file's piece number");
  record.next_piece = number + 1;
  return 0;
}

int TreeChanges::PlanGrowth(Step& step, const Claim& claim,
                            const Room& room) const {
  step.entries.clear();
  step.more = 1;
  int error = 0;
  const Node* volume = FindVolume(step, error);
  if (volume == nullptr) return error;
  const Node* node = tree().FindTreeNode(*volume, step.request.node);
  if (node == nullptr) return ESTALE;
  // Else the bytes would not stand where they were made.
  if (node->tree->allocated != room.allocated ||
      node->tree->record.truncation != room.truncation) {
    return EAGAIN;
  }
  // Two files of one volume may have grown side by side.
  if (error = CheckCapacity(*volume, BytesOf(claim), step); error != 0) {
    return error;
  }
  NodeRecord record = Revise(*node, step);
  std::uint32_t number = 0;
  if (error = TakePiece(*volume, *node, record, number); error != 0) {
    return error;
  }
  step.entries.push_back(NewPieceEntry(
      PiecePath(volume->name, node->tree->id, number), claim.extents));
  // The mark says that all is done, and of a change of size this is the first
  // half.
  if (step.request.op != TreeOp::kExtend || !room.is_last) record.request = {};
  error = AddRecord(*volume, node->tree->id, record, node->owner, step);
  if (error != 0) return error;
  return CheckSlots(*volume, step.entries.size(), step);
}

int TreeChanges::PublishGrowth(Step& step, const Claim& claim,
                               const Room& room) {
  int error = 0;
  const absl::Status published = creations_.PublishWith(
      claim, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
        error = PlanGrowth(step, claim, room);
        if (error != 0) return FailedPrecondition("errno {}", error);
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

// Under a claim of the file's own, as a growth: another one may be under way,
// and then that one's memory is none to give back.
void TreeChanges::TrimFile(const Step& step) {
  Claim claim{.path = NodePath(step.request.volume, step.request.node)};
  std::uint64_t allocated = 0;
  {
    const WriterMutexLock lock(state_.mutex);
    int error = 0;
    const Node* volume = FindVolume(step, error);
    const Node* node = volume == nullptr
                           ? nullptr
                           : tree().FindTreeNode(*volume, step.request.node);
    if (node == nullptr || !state_.claims.CheckPathIsFree(claim.path).ok() ||
        !state_.log.CheckStillOwner().ok()) {
      return;
    }
    allocated = node->tree->allocated;
    state_.claims.Add(claim);
  }
  IgnoreError(
      state_.device->TrimNodeFile(
          NodeFileName(step.request.volume, step.request.node), allocated),
      "the next opening trims what the record does not say");
  const WriterMutexLock lock(state_.mutex);
  state_.claims.Remove(claim);
}

int TreeChanges::SetFileSize(const Step& step) const {
  if (!HasNodeFiles() || step.request.node == kVolumeRoot) return 0;
  std::uint64_t size = 0;
  std::uint64_t allocated = 0;
  {
    const WriterMutexLock lock(state_.mutex);
    int error = 0;
    const Node* volume = FindVolume(step, error);
    if (volume == nullptr) return error;
    const Node* node = tree().FindTreeNode(*volume, step.request.node);
    if (node == nullptr) return 0;  // removed meanwhile
    if (!state_.log.CheckStillOwner().ok()) return EIO;
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
