// Appending to files of tree volumes from several hosts: each append gets a
// range of its own, which is the file's before anybody stores there, so that no
// other one gets it and no crash gives it again. What a host never stores to is
// zeros.
#include <spdlog/spdlog.h>

#include <cerrno>
#include <limits>

#include "base/text.h"
#include "instance/writer/tree_changes.h"

namespace famfs {
namespace {

constexpr std::uint64_t kLongestFile = std::numeric_limits<std::int64_t>::max();

}  // namespace

int TreeChanges::AppendRange(Step& step) {
  if ((step.request.flags & kAppendGiveUp) != 0) {
    const WriterMutexLock lock(state_.mutex);
    appenders_.GiveUp(step.request.volume, step.request.node, step.mark.session,
                      step.request.size);
    return 0;
  }
  Appenders::Verdict verdict = Appenders::Verdict::kWait;
  const auto judge = [&] { return JudgeAppend(step, verdict); };
  int error = AfterReclaim(judge(), step, judge);
  if (error != 0 || verdict == Appenders::Verdict::kAlone) return error;
  const std::uint64_t end = step.end + step.request.size;
  if (end > kLongestFile) return EFBIG;
  // Where nodes have files, what lies behind a file's end is zero.
  if (!HasNodeFiles()) error = ZeroTail(step, end);
  if (error == 0) error = Extend(step, end);
  if (error == 0) error = Change(step);
  if (error == 0) step.node = step.end;
  return error;
}

int TreeChanges::JudgeAppend(Step& step, Appenders::Verdict& verdict) {
  const WriterMutexLock lock(state_.mutex);
  int error = 0;
  const Node* volume = FindVolume(step, error);
  if (volume == nullptr) return error;
  const Node* node = tree().FindTreeNode(*volume, step.request.node);
  if (node == nullptr) return ESTALE;
  const NodeRecord& record = node->tree->record;
  if (record.kind != NodeKind::kFile) {
    return node->is_directory ? EISDIR : EINVAL;
  }
  verdict = appenders_.Ask(volume->name, node->tree->id, step.mark.session,
                           record.revision, std::chrono::steady_clock::now());
  step.end = record.size;
  if (verdict == Appenders::Verdict::kAlone) {
    step.node = kAppendAlone | record.revision;
  }
  if (verdict != Appenders::Verdict::kWait) return 0;
  error = TellToStop(*volume, *node, step);
  return error != 0 ? error : EAGAIN;
}

// Without a mark: nobody has asked for it, so whoever appends takes it for a
// word to him.
int TreeChanges::TellToStop(const Node& volume, const Node& node, Step& step) {
  const TreeId id = node.tree->id;
  const auto now = Appenders::Clock::now();
  if (!appenders_.HasToRevise(volume.name, id)) {
    const std::uint32_t session = appenders_.WaitsFor(volume.name, id, now);
    if (session != 0 &&
        MayTell(fmt::format("{}/{:016x}/append", volume.name, id))) {
      spdlog::warn(
          "volume_id={}: an append waits for the host with the session {:#x}, "
          "which appends to the same file and does not stop; look at `famfs "
          "hosts`, and evict it if it is dead",
          Printable(volume.name), session);
    }
    return 0;
  }
  NodeRecord record = Revise(node, step);
  record.ctime_ns = node.tree->record.ctime_ns;
  record.request = {};
  step.entries.clear();
  step.more = 0;
  int error = AddRecord(volume, id, record, node.owner, step);
  if (error == 0) error = CheckSlots(volume, step.entries.size(), step);
  if (error == 0) error = Append(step, {});
  if (error == 0) appenders_.Revised(volume.name, id, record.revision, now);
  return error;
}

int TreeChanges::PlanAppend(const Node& volume, Step& step) const {
  const Node* node = tree().FindTreeNode(volume, step.request.node);
  if (node == nullptr) return ESTALE;
  NodeRecord record = Revise(*node, step);
  // What was zeroed, and who may append, was looked at before.
  if (record.size != step.end) return EAGAIN;
  record.size += step.request.size;
  if (record.size > node->tree->allocated) return EAGAIN;
  record.mtime_ns = step.now_ns;
  return AddRecord(volume, step.request.node, record, node->owner, step);
}

}  // namespace famfs
