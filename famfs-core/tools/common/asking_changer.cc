#include "tools/common/asking_changer.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "instance/deletion/host_table.h"
#include "instance/mailbox/claims_writer.h"
#include "tools/common/interrupt.h"

namespace famfs {
namespace {

constexpr std::chrono::milliseconds kLookForSignals(50);
constexpr std::chrono::seconds kLookAtRow(1);
constexpr std::chrono::seconds kLastWait(2);
/// What a machine zeroes in a moment, so that a long growth is no silence.
constexpr std::uint64_t kLargestAskedGrowth = kGiB;
/// A compaction under way can hide what the log says for a moment.
constexpr int kMostRefreshes = 64;

/// One answer, for one who waits.
class AnswerSlot {
 public:
  void Put(const TreeAnswer& answer) {
    const MutexLock lock(mutex_);
    answer_ = answer;
    changed_.NotifyAll();
  }
  std::optional<TreeAnswer> WaitUntil(std::chrono::steady_clock::time_point at)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    while (!answer_.has_value() && changed_.WaitUntil(mutex_, at)) {
    }
    return answer_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<TreeAnswer> answer_ ABSL_GUARDED_BY(mutex_);
};

std::uint32_t RandomSession() {
  std::random_device random;
  std::uniform_int_distribution<std::uint32_t> any(1);
  return any(random);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Changer>> AskingChanger::Open(
    std::shared_ptr<DeviceSet> devices, const Uuid& host,
    std::chrono::seconds wait, absl::Status refused) {
  auto reader = Reader::Open(std::move(devices));
  if (!reader.ok()) return refused;
  return std::unique_ptr<Changer>(
      new AskingChanger(*std::move(reader), host, wait, std::move(refused)));
}

AskingChanger::~AskingChanger() {
  if (asker_ != nullptr) asker_->Stop();
  const MutexLock lock(mutex_);
  if (session_ != nullptr) session_->Close();
}

Reader::View AskingChanger::Tree() const { return reader_->Tree(); }

const std::shared_ptr<DeviceSet>& AskingChanger::devices() const {
  return reader_->devices();
}

std::uint64_t AskingChanger::largest_growth() const {
  return kLargestAskedGrowth;
}

absl::StatusOr<Writer*> AskingChanger::WriterFor(std::string_view path) {
  const absl::StatusCode code = refused_.code();
  return absl::Status(
      code, fmt::format("{}: does not lie in a tree volume, and only what does "
                        "can be changed beside the program that has the "
                        "instance open\n{}",
                        Printable(path), Message(refused_)));
}

absl::Status AskingChanger::KeepRow() {
  const MutexLock lock(mutex_);
  if (session_ == nullptr) return TakeRow();
  if (asker_ == nullptr) return Internal("nobody can be asked");
  if (Clock::now() < next_look_) return absl::OkStatus();
  next_look_ = Clock::now() + kLookAtRow;
  const absl::Status stands = session_->Check();
  if (stands.ok()) Acknowledge();
  if (absl::IsPermissionDenied(stands)) {
    return PermissionDenied(
        "this command lost its row of the host table: by famfs evict, or to "
        "another one with the same --system-uuid on another machine; it does "
        "nothing more: run it again");
  }
  // Another row is taken by a later look, while requests wait.
  return IsReplaced(stands) ? stands : absl::OkStatus();
}

absl::Status AskingChanger::TakeRow() {
  DaxDevice& primary = *reader_->device();
  // Another boot's rows of this host are closed: it has to be this one's.
  FAMFS_ASSIGN_OR_RETURN(const std::uint64_t boot, LoadBoot());
  auto session = HostSession::Register(
      primary, {.host = host_, .boot = boot, .session = RandomSession()});
  if (!session.ok()) {
    return Annotate(session.status(),
                    "this process cannot ask the program that has the "
                    "instance open");
  }
  session_ = *std::move(session);
  next_look_ = Clock::now() + kLookAtRow;
  Acknowledge();
  FAMFS_ASSIGN_OR_RETURN(ClaimsWriter claims, ClaimsWriter::Open(primary));
  // What stands in the row may be damaged, and would claim all files.
  if (const auto row = session_->row(); row.has_value()) {
    static_cast<void>(claims.Store(*row, session_->session(), {}));
  }
  FAMFS_ASSIGN_OR_RETURN(
      asker_,
      Asker::Start(primary,
                   [&row_of = *session_]() -> std::optional<SessionRow> {
                     const auto row = row_of.row();
                     if (!row.has_value()) return std::nullopt;
                     return SessionRow{*row, row_of.session()};
                   },
                   // It is told here.
                   {.complain_after = std::chrono::hours(24)}));
  return absl::OkStatus();
}

void AskingChanger::Acknowledge() {
  IgnoreError(reader_->Refresh().status(), "what it would show waits longer");
  const std::uint64_t done = session_->acknowledged();
  const std::vector<PendingVolume> deletions = reader_->Deletions(done);
  if (deletions.empty()) return;
  // After the deletions: what they tell of is held by nobody later.
  const MutexLock lock(held_mutex_);
  IgnoreError(session_->Acknowledge(LetGoUpTo(done, deletions, held_)),
              "the next look tells");
}

void AskingChanger::Hold(const Node& file) {
  const MutexLock lock(held_mutex_);
  for (const MediaExtent& extent : file.extents) {
    held_.emplace(extent.device_index, extent.offset);
  }
}

void AskingChanger::LetGo(const Node& file) {
  const MutexLock lock(held_mutex_);
  for (const MediaExtent& extent : file.extents) {
    held_.erase(std::pair(extent.device_index, extent.offset));
  }
}

absl::Status AskingChanger::CheckStanding() {
  FAMFS_RETURN_IF_ERROR(KeepRow());
  return reader_->CheckIdentity();
}

absl::StatusOr<TreeAnswer> AskingChanger::Change(const TreeRequest& request) {
  if (nobody_answers_) return NobodyAnswered();
  FAMFS_RETURN_IF_ERROR(KeepRow());
  const Clock::time_point end = Clock::now() + wait_;
  FAMFS_ASSIGN_OR_RETURN(const TreeAnswer answer, Await(request, [&] {
                           FAMFS_RETURN_IF_ERROR(CheckInterrupted());
                           FAMFS_RETURN_IF_ERROR(KeepRow());
                           if (Clock::now() < end) return absl::OkStatus();
                           nobody_answers_ = true;
                           return NobodyAnswered();
                         }));
  if (answer.error == 0) FAMFS_RETURN_IF_ERROR(CatchUpTo(answer));
  return answer;
}

absl::StatusOr<TreeAnswer> AskingChanger::TakeBack(const TreeRequest& request) {
  if (nobody_answers_) return NobodyAnswered();
  FAMFS_RETURN_IF_ERROR(KeepRow());
  const Clock::time_point end = Clock::now() + kLastWait;
  return Await(request, [&] {
    return Clock::now() < end ? absl::OkStatus() : NobodyAnswered();
  });
}

absl::StatusOr<TreeAnswer> AskingChanger::Await(
    const TreeRequest& request, const std::function<absl::Status()>& give_up) {
  const auto slot = std::make_shared<AnswerSlot>();
  const Asker::Id id = asker_->Ask(
      request, [slot](const TreeAnswer& answer) { slot->Put(answer); });
  absl::Status given_up;
  for (;;) {
    const auto answer = slot->WaitUntil(Clock::now() + kLookForSignals);
    if (answer.has_value()) {
      // It may have been answered all the same.
      if (answer->error != EINTR || given_up.ok()) return *answer;
      return given_up;
    }
    if (!given_up.ok()) continue;  // it ends in a moment
    given_up = give_up();
    if (!given_up.ok()) asker_->Forget(id);
  }
}

absl::Status AskingChanger::NobodyAnswered() const {
  return Unavailable(
      "nobody has answered for {} s, and the change was withdrawn; if somebody "
      "had begun it, it may still be done: look whether it is. The CSI "
      "controller answers while it has the instance open (its log tells more); "
      "other famfs commands do not, so wait for them to end. --wait gives it "
      "longer.\n{}",
      wait_.count(), Message(refused_));
}

absl::Status AskingChanger::CatchUpTo(const TreeAnswer& answer) {
  for (int i = 0; i < kMostRefreshes; ++i) {
    if (reader_->Shows(answer.generation, answer.entries)) {
      return absl::OkStatus();
    }
    FAMFS_RETURN_IF_ERROR(reader_->Refresh().status());
  }
  if (reader_->Shows(answer.generation, answer.entries)) {
    return absl::OkStatus();
  }
  return Unavailable(
      "the change is done, and the log with its {} entries (generation {}) "
      "cannot be seen here",
      answer.entries, answer.generation);
}

}  // namespace famfs
