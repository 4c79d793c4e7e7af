#include "instance/writer/tree_changes.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "instance/log/tree_promises.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/writer_options.h"

namespace famfs {
namespace {

/// Besides those that deletions of volumes have: for what takes no room of its
/// own (removing, renaming, cutting), so that a full log can still be emptied.
constexpr std::uint64_t kChangeSlots = 64;
/// What others made may have filled the log up to the slots that deletions
/// have. Those changes use some of them, too, until the next compaction, which
/// drops the records before; so many stay for deletions alone.
constexpr std::uint64_t kDeletionSlots = kStateSlots / 2;

constexpr std::chrono::minutes kTellEvery{1};

std::int64_t UnixNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Of the volume's directory, and of nothing else: what volumes of layout
/// `file` offer, too.
bool ChangesOwner(const TreeRequest& request) {
  constexpr std::uint32_t kOwner = kSetMode | kSetUid | kSetGid;
  return request.op == TreeOp::kSetAttributes && request.node == kVolumeRoot &&
         (request.set & ~kOwner) == 0;
}

TreeId RandomId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return random();
}

}  // namespace

TreeAnswer TreeChanges::Apply(const TreeRequest& request,
                              const RequestMark& mark) {
  Step step{.request = request,
            .mark = mark,
            .now_ns = request.ctime_ns == 0 ? UnixNow() : request.ctime_ns,
            .node = request.node};
  TreeAnswer answer;
  switch (request.op) {
    case TreeOp::kCreate:
      answer.error = Create(step);
      break;
    case TreeOp::kExtend:
      answer.error = Extend(step, request.size);
      break;
    case TreeOp::kAppend:
      answer.error = AppendRange(step);
      break;
    case TreeOp::kSetAttributes:
      answer.error =
          (request.set & kSetSize) != 0 ? Resize(step) : Change(step);
      break;
    default:
      answer.error = Change(step);
  }
  const ReaderMutexLock lock(state_.mutex);
  answer.node = step.node;
  answer.generation = state_.log.generation();
  answer.entries = state_.log.entries();
  return answer;
}

const Node* TreeChanges::FindVolume(const Step& step, int& error) const {
  error = EIO;
  if (!state_.log.stopped().ok()) return nullptr;
  const auto it = tree().volumes().find(step.request.volume);
  error = ESTALE;
  if (it == tree().volumes().end()) return nullptr;
  const Node* volume = tree().Find(it->second);
  if (volume->tree == nullptr && !ChangesOwner(step.request)) return nullptr;
  error = volume->volume->state == VolumeState::kLive ? 0 : EROFS;
  return error == 0 ? volume : nullptr;
}

int TreeChanges::Plan(const Node& volume, Step& step) {
  step.entries.clear();
  step.removed.clear();
  step.more = 0;
  step.is_own_limit = false;
  switch (step.request.op) {
    case TreeOp::kCreate:
      return PlanCreate(volume, step);
    case TreeOp::kRemove:
      return PlanRemove(volume, step);
    case TreeOp::kRename:
      return PlanRename(volume, step);
    case TreeOp::kSetAttributes:
      return PlanAttributes(volume, step);
    case TreeOp::kSettle:
      return PlanSettle(volume, step);
    case TreeOp::kAppend:
      return PlanAppend(volume, step);
    case TreeOp::kExtend:
      break;  // PublishGrowth's
  }
  return EINVAL;
}

int TreeChanges::Change(Step& step) {
  return AfterReclaim(TryChange(step), step, [&] { return TryChange(step); });
}

int TreeChanges::AfterReclaim(int error, Step& step,
                              const std::function<int()>& again) {
  // A volume at its own claim must not keep the pool busy with compactions.
  if (error != ENOSPC || step.is_own_limit || !reclamation_.Helps()) {
    return error;
  }
  const absl::Status reclaimed = reclamation_.Run();
  error = again();
  if (error != ENOSPC || step.is_own_limit) return error;
  // Whether there is room will be known when that is over.
  const bool is_passing =
      absl::IsAborted(reclaimed) || absl::IsUnavailable(reclaimed);
  return is_passing ? EAGAIN : error;
}

int TreeChanges::TryChange(Step& step) {
  {
    const WriterMutexLock lock(state_.mutex);
    int error = 0;
    const Node* volume = FindVolume(step, error);
    if (volume == nullptr) return error;
    if (error = Plan(*volume, step); error != 0) return error;
    if (step.entries.empty()) return 0;
    error = CheckSlots(*volume, step.entries.size(), step);
    if (error != 0) return error;
    if (error = Append(step, {}); error != 0) return error;
  }
  RemoveFiles(step);
  const bool sized = step.request.op == TreeOp::kSetAttributes &&
                     (step.request.set & kSetSize) != 0;
  return sized ? SetFileSize(step) : 0;
}

/// The node's id is chosen, and its file made, before the entry names it.
int TreeChanges::Create(Step& step) {
  if (const int error = ChooseNode(step); error != 0) return error;
  const bool has_file = step.request.kind == NodeKind::kFile && HasNodeFiles();
  const std::string file = NodeFileName(step.request.volume, step.node);
  if (has_file) {
    if (const absl::Status made = state_.device->CreateNodeFile(file);
        !made.ok()) {
      spdlog::error("{}: no file for a new node: {}", state_.device->spec(),
                    Message(made));
      return absl::IsResourceExhausted(made) ? ENOSPC : EIO;
    }
  }
  const int error = Change(step);
  if (error != 0 && has_file && IsStillOwner()) {
    IgnoreError(state_.device->RemoveNodeFile(file),
                "the next opening removes what no entry names");
  }
  return error;
}

int TreeChanges::ChooseNode(Step& step) const {
  const ReaderMutexLock lock(state_.mutex);
  int error = 0;
  const Node* volume = FindVolume(step, error);
  if (volume == nullptr) return error;
  do {
    step.node = RandomId();
  } while (step.node == kVolumeRoot ||
           tree().Find(tree().IdOfTreeNode(volume->name, step.node)) !=
               nullptr);
  Step trial = step;
  return PlanCreate(*volume, trial);
}

bool TreeChanges::MayTell(std::string_view what) const {
  constexpr std::size_t kMost = 1000;  // as many as are forgotten at once
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(told_mutex_);
  if (told_.size() >= kMost) told_.clear();
  const auto [it, is_new] = told_.try_emplace(std::string(what), now);
  if (!is_new && now - it->second < kTellEvery) return false;
  it->second = now;
  return true;
}

int TreeChanges::UsedUp(std::string_view volume, std::string_view what) const {
  if (MayTell(fmt::format("{}/{}", volume, what))) {
    spdlog::error(
        "{}: a change of volume {} is not done: {} is at its end, as no writer "
        "of ours brings it there; look at the file system with `famfs fsck`, "
        "copy what is needed and delete the volume",
        state_.device->spec(), Printable(volume), what);
  }
  return EOVERFLOW;
}

int TreeChanges::CheckCapacity(const Node& volume, std::uint64_t more,
                               Step& step) const {
  const TreeUsage usage = state_.log.player().UsageOf(volume.name);
  const std::uint64_t capacity = volume.volume->capacity;
  if (more <= capacity - std::min(capacity, usage.bytes)) return 0;
  const std::uint64_t live = usage.bytes - usage.dead;
  step.is_own_limit = more > capacity - std::min(capacity, live);
  if (step.is_own_limit && MayTell(fmt::format("{}/bytes", volume.name))) {
    spdlog::warn(
        "volume_id={}: is full: {} of its {} are used, and {} more were asked "
        "for (a file takes units of {}); it cannot be enlarged: delete files, "
        "or make a larger claim and copy",
        volume.name, FormatSize(live), FormatSize(capacity), FormatSize(more),
        FormatSize(kAllocUnit));
  }
  return ENOSPC;
}

int TreeChanges::CheckSlots(const Node& volume, std::size_t entries,
                            Step& step) const {
  const TreeUsage usage = state_.log.player().UsageOf(volume.name);
  const std::uint64_t allowed = TreeSlots(volume.volume->capacity);
  if (step.more > 0 && usage.entries + step.more > allowed) {
    step.is_own_limit = true;
    if (MayTell(fmt::format("{}/names", volume.name))) {
      spdlog::warn(
          "volume_id={}: no room for more names: {} of {} entries of the log "
          "are used (a file of up to 2 MiB takes two); use fewer and larger "
          "files, delete some, or make a larger claim and copy",
          volume.name, usage.entries, allowed);
    }
    return ENOSPC;
  }
  const std::uint64_t reserve =
      step.more > 0 ? kStateSlots + kChangeSlots : kDeletionSlots;
  if (state_.UsedSlots() + entries + reserve <= state_.log.slots()) return 0;
  if (!state_.CompactionHelps() && MayTell("/log")) {
    spdlog::warn(
        "{}: the log is full: {} of {} slots are used; delete volumes, or make "
        "the file system anew with a longer log",
        state_.device->spec(), state_.UsedSlots(), state_.log.slots());
  }
  return ENOSPC;
}

int TreeChanges::Append(Step& step, std::span<const MediaExtent> extents) {
  const absl::Status appended = state_.log.Append(step.entries, extents);
  if (appended.ok()) return 0;
  spdlog::error("{}: a change of volume {} is not done: {}",
                state_.device->spec(), Printable(step.request.volume),
                Message(appended));
  return EIO;
}

NodeRecord TreeChanges::Revise(const Node& node, const Step& step) const {
  NodeRecord record = node.tree->record;
  record.name = std::string(node.name);
  record.parent = tree().Find(node.parent)->tree->id;
  ++record.revision;
  record.kept_pieces = 0;
  record.deletion_number = 0;
  record.ctime_ns = step.now_ns;
  record.request = step.mark;
  return record;
}

int TreeChanges::AddRecord(const Node& volume, TreeId id,
                           const NodeRecord& record, const Ownership& owner,
                           Step& step) const {
  if (record.revision == 0) {  // one behind the last
    return UsedUp(volume.name, "a node's revision");
  }
  absl::StatusOr<MediaEntry> entry =
      NewNodeEntry(volume.name, id, record, owner);
  if (absl::IsOutOfRange(entry.status())) return ENAMETOOLONG;
  if (!entry.ok()) return EINVAL;
  step.entries.push_back(*entry);
  return 0;
}

// A stale writer must not undo the epoch of its successor.
int TreeChanges::NumberDeletion(NodeRecord& record) {
  if (!state_.log.CheckStillOwner().ok()) return EIO;
  const absl::StatusOr<std::uint64_t> number = state_.log.TakeDeletionNumber();
  if (!number.ok()) return UsedUp("", "the deletion number");
  record.deletion_number = *number;
  return 0;
}

int TreeChanges::AddRemoval(const Node& volume, const Node& node, Step& step) {
  NodeRecord record = Revise(node, step);
  record.state = NodeState::kRemoved;
  if (const int error = NumberDeletion(record); error != 0) return error;
  if (record.kind == NodeKind::kFile) step.removed.push_back(node.tree->id);
  return AddRecord(volume, node.tree->id, record, node.owner, step);
}

bool TreeChanges::IsStillOwner() const {
  const WriterMutexLock lock(state_.mutex);
  return state_.log.CheckStillOwner().ok();
}

void TreeChanges::RemoveFiles(const Step& step) const {
  if (!HasNodeFiles() || step.removed.empty() || !IsStillOwner()) return;
  for (const TreeId id : step.removed) {
    const absl::Status removed =
        state_.device->RemoveNodeFile(NodeFileName(step.request.volume, id));
    if (removed.ok()) continue;
    spdlog::warn("{}: the file of a removed node stays: {}",
                 state_.device->spec(), Message(removed));
  }
}

}  // namespace famfs
