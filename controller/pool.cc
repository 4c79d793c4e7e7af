#include "controller/pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace famfs::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLongestInterval{1'000};
constexpr seconds kScrubPause{5};
// Zeroing a large volume takes a while; after this, somebody may want to know.
constexpr seconds kLongCall{60};

std::int64_t InSeconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<seconds>(time).count();
}

}  // namespace

// One call's hold of the writer.
class Pool::Visit {
 public:
  Visit(Pool& pool, std::list<Call>::iterator call)
      : pool_(pool), call_(call) {}
  ~Visit() {
    writer.reset();
    pool_.Leave(call_);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  std::shared_ptr<Writer> writer;

 private:
  Pool& pool_;
  const std::list<Call>::iterator call_;
};

Pool::Pool(csi::PoolSection section, const PoolOptions& options)
    : section_(std::move(section)),
      options_(options),
      devices_(section_.name, section_.devices, options.open_device),
      opener_(section_, options.open_device, devices_),
      standing_(Unavailable("pool {} is not available: it is being opened",
                            section_.name)),
      reclaimer_({.pool = section_.name,
                  .interval = options.reclaim_interval,
                  .writer = [this] { return OpenedWriter(); },
                  .before_round =
                      [this](Writer& writer) { devices_.AddTo(writer); }}) {}

Pool::~Pool() { Join(); }

void Pool::Join() {
  reclaimer_.Stop();
  if (helper_ != nullptr) helper_->Join();
  opener_.StopAnswering();
  reclaimer_.Join();
}

absl::StatusOr<std::unique_ptr<Pool>> Pool::Start(csi::PoolSection section,
                                                  const PoolOptions& options) {
  std::unique_ptr<Pool> pool(new Pool(std::move(section), options));
  FAMFS_RETURN_IF_ERROR(pool->reclaimer_.Start());
  FAMFS_ASSIGN_OR_RETURN(
      pool->helper_, Helper::Start(
                         fmt::format("pool {}", pool->name()),
                         [self = pool.get()] { self->Tick(); },
                         std::min(options.reclaim_interval, kLongestInterval)));
  return pool;
}

// --- In the helper's thread

void Pool::Tick() {
  if (ending_) opener_.StopAnswering();
  const bool due = opener_.writer() != nullptr || opener_.IsDueAgain() ||
                   Clock::now() >= next_try_;
  if (due) LookAndLog();
  if (const auto writer = opener_.writer(); writer != nullptr) {
    RenewSnapshot(*writer);
    LogScrub(*writer);
  }
  LogLongCalls();
  LogThatItAnswers();
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::Look() {
  absl::Status standing = opener_.Check();
  // Before another one is opened: a lost writer ends when nobody holds it.
  Publish(standing);
  if (opener_.writer() == nullptr) {
    opening_ = true;
    standing = opener_.Open();
    opening_ = false;
    Publish(standing);
    if (standing.ok()) reclaimer_.Soon();  // what an earlier one left
  }
  if (standing.ok()) return opener_.writer();
  const MutexLock lock(mutex_);
  return standing_;
}

void Pool::Publish(const absl::Status& standing) {
  const MutexLock lock(mutex_);
  // Whatever the cause, a later call may find it mended, and a provisioner that
  // is told a final code would forget a volume that may exist.
  standing_ = standing.ok() ? standing
                            : Unavailable("pool {} is not available: {}",
                                          section_.name, Message(standing));
  writer_ = opener_.writer();
  losses_ = opener_.losses();
  if (writer_ != nullptr) {
    fs_uuid_ = writer_->superblock().fs_uuid;
  } else {
    snapshot_.reset();
  }
}

void Pool::LookAndLog() {
  const auto writer = Look();
  if (!writer.ok()) next_try_ = Clock::now() + options_.reclaim_interval;
  const std::string error(Message(writer.status()));
  if (std::exchange(logged_, error) == error || writer.ok()) return;
  spdlog::error("{}", error);
}

void Pool::RenewSnapshot(const Writer& writer) {
  const std::uint64_t changes = changes_;
  const auto last = snapshot();
  auto renewed = std::make_shared<const PoolSnapshot>(TakeSnapshot(
      section_.name, writer,
      last != nullptr && changes == snapshot_changes_ ? last->volumes
                                                      : nullptr));
  snapshot_changes_ = changes;
  const MutexLock lock(mutex_);
  snapshot_ = std::move(renewed);
}

void Pool::LogScrub(const Writer& writer) {
  const Writer::Scrubbing scrub = writer.ScrubProgress();
  const Clock::time_point now = Clock::now();
  if (scrub.total == 0) scrub_logged_ = now;
  if (now - scrub_logged_ < kScrubPause) return;
  scrub_logged_ = now;
  spdlog::info("pool {}: deleted space is being zeroed: {} of {}",
               section_.name, FormatSize(scrub.done), FormatSize(scrub.total));
}

void Pool::LogLongCalls() {
  const MutexLock lock(mutex_);
  for (Call& call : calls_) {
    if (Clock::now() - call.begun < kLongCall) return;  // nor those after it
    if (std::exchange(call.told, true)) continue;
    spdlog::warn(
        "pool {}: a call is under way there for {} s: either it zeroes much, "
        "or what {} lies on does not answer",
        section_.name, InSeconds(Clock::now() - call.begun),
        section_.device.ToString());
  }
}

void Pool::LogThatItAnswers() {
  if (!logged_hang_.exchange(false)) return;
  spdlog::info("pool {}: {} answers again", section_.name,
               section_.device.ToString());
}

// --- In the callers' threads

bool Pool::Do(const Helper::Job& job) {
  return helper_->Do(
      [this, job] {
        job();
        LogThatItAnswers();
      },
      options_.patience);
}

absl::Status Pool::NotAnswering() {
  const std::int64_t time =
      InSeconds(std::max<milliseconds>(helper_->busy(), options_.patience));
  const bool opening = opening_;
  absl::Status status =
      opening ? Unavailable(
                    "pool {} is not available: {} is being opened for {} s; a "
                    "long log takes its time, a device or a file system that "
                    "hangs for ever",
                    section_.name, section_.device.ToString(), time)
              : Unavailable(
                    "pool {} is not available: {} has not answered for {} s; "
                    "look whether the device, or the file system that it lies "
                    "on, hangs: the pool goes on when it answers",
                    section_.name, section_.device.ToString(), time);
  if (!logged_hang_.exchange(true)) {
    spdlog::log(opening ? spdlog::level::warn : spdlog::level::err, "{}",
                Message(status));
  }
  return status;
}

absl::Status Pool::Ask(const Question& question) {
  const auto answer = std::make_shared<absl::Status>(
      Internal("pool {}: looking at it failed unexpectedly", section_.name));
  const bool answered = Do([this, answer, question] {
    const auto writer = Look();
    *answer = writer.ok() ? question(**writer) : writer.status();
  });
  return answered ? *answer : NotAnswering();
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::Open() {
  FAMFS_ASSIGN_OR_RETURN(const auto call, Enter());
  const auto visit = std::make_shared<Visit>(*this, call);
  FAMFS_RETURN_IF_ERROR(
      Ask([](const Writer& /*writer*/) { return absl::OkStatus(); }));
  visit->writer = OpenedWriter();
  if (visit->writer == nullptr) {
    return Unavailable("pool {} is not available: it was lost a moment ago",
                       section_.name);
  }
  return std::shared_ptr<Writer>(visit, visit->writer.get());
}

absl::StatusOr<std::list<Pool::Call>::iterator> Pool::Enter() {
  const auto end = Clock::now() + options_.patience;
  const MutexLock lock(mutex_);
  while (calls_.size() >= kMaxCalls && left_.WaitUntil(mutex_, end)) {
  }
  if (calls_.size() >= kMaxCalls) {
    return Unavailable(
        "pool {} is not available: {} calls are under way there, the oldest "
        "for {} s; either they zero much, or what {} lies on does not answer",
        section_.name, calls_.size(),
        InSeconds(Clock::now() - calls_.front().begun),
        section_.device.ToString());
  }
  return calls_.insert(calls_.end(), {.begun = Clock::now()});
}

void Pool::Leave(std::list<Call>::iterator call) {
  ++changes_;
  const MutexLock lock(mutex_);
  calls_.erase(call);
  left_.NotifyOne();
}

std::vector<std::string> Pool::MissingDevices(Writer& writer) {
  devices_.AddTo(writer);
  std::vector<std::string> missing = devices_.Missing();
  if (!missing.empty()) return missing;
  DeviceSet& devices = *writer.devices();
  for (std::size_t i = 1; i < devices.size(); ++i) {
    if (const auto device = devices.At(i); !device.ok()) {
      missing.emplace_back(Message(device.status()));
    }
  }
  return missing;
}

std::shared_ptr<Writer> Pool::OpenedWriter() const {
  const MutexLock lock(mutex_);
  return writer_;
}

absl::Status Pool::Standing() {
  if (helper_->busy() > options_.patience) return NotAnswering();
  const MutexLock lock(mutex_);
  return standing_;
}

std::optional<Uuid> Pool::fs_uuid() const {
  const MutexLock lock(mutex_);
  return fs_uuid_;
}

PoolLosses Pool::losses() const {
  const MutexLock lock(mutex_);
  return losses_;
}

std::shared_ptr<const PoolSnapshot> Pool::snapshot() const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

std::string Pool::UnderWay() const {
  std::vector<std::string> work;
  {
    const MutexLock lock(mutex_);
    if (!calls_.empty())
      work.push_back(fmt::format("calls: {}", calls_.size()));
  }
  if (helper_->busy() > kLongestInterval) {
    work.push_back(fmt::format("a look at {}", section_.device.ToString()));
  }
  if (reclaimer_.busy()) work.emplace_back("giving deleted space back");
  if (work.empty()) return {};
  return fmt::format("pool {}: {}", section_.name, fmt::join(work, ", "));
}

void Pool::Refresh(milliseconds limit) {
  helper_->Do(
      [this] {
        const auto writer = Look();
        if (writer.ok()) RenewSnapshot(**writer);
      },
      limit);
}

void Pool::AwaitOpening() {
  // The helper begins with it.
  if (!helper_->Do([] {}, options_.patience)) {
    IgnoreError(NotAnswering(), "it tells the log");
  }
}

absl::StatusOr<std::unique_ptr<PoolSet>> PoolSet::Start(
    const csi::Config& config, PoolOptions options) {
  options.reclaim_interval = config.controller.reclaim_interval;
  std::unique_ptr<PoolSet> set(new PoolSet());
  for (const csi::PoolSection& section : config.pools) {
    FAMFS_ASSIGN_OR_RETURN(auto pool, Pool::Start(section, options));
    set->pools_.push_back(std::move(pool));
  }
  for (const auto& pool : set->pools_) pool->AwaitOpening();
  return set;
}

void PoolSet::StopServing() {
  for (const auto& pool : pools_) pool->StopServing();
}

void PoolSet::Join() {
  for (const auto& pool : pools_) pool->Join();
}

std::string PoolSet::UnderWay() const {
  std::vector<std::string> pools;
  for (const auto& pool : pools_) {
    if (std::string work = pool->UnderWay(); !work.empty()) {
      pools.push_back(std::move(work));
    }
  }
  return fmt::format("{}", fmt::join(pools, "; "));
}

absl::Status PoolSet::CheckAllOpen() const {
  std::vector<std::string> closed;
  for (const auto& pool : pools_) {
    if (!pool->Standing().ok()) closed.push_back(pool->name());
  }
  if (closed.empty()) return absl::OkStatus();
  return Unavailable("pools that are not open: {}", fmt::join(closed, ", "));
}

std::vector<Pool*> PoolSet::ByName() const {
  std::vector<Pool*> ordered;
  for (const auto& pool : pools_) ordered.push_back(pool.get());
  std::sort(ordered.begin(), ordered.end(),
            [](Pool* a, Pool* b) { return a->name() < b->name(); });
  return ordered;
}

Pool& PoolSet::Get(std::string_view name) const {
  const auto it =
      std::find_if(pools_.begin(), pools_.end(),
                   [name](const auto& pool) { return pool->name() == name; });
  return **it;
}

}  // namespace famfs::controller
