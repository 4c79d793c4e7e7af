#include "controller/pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "controller/emulated_device.h"
#include "instance/identity.h"
#include "instance/mkfs.h"
#include "instance/system_uuid.h"
#include "instance/unfinished.h"

namespace famfs::controller {
namespace {

// Whether nothing stands where a superblock would, or what a controller that
// was killed while it made an instance left there. An emulated device without
// extents has nothing there either.
absl::StatusOr<bool> IsBlank(DaxDevice& device) {
  constexpr std::uint64_t kLooked = 1ULL
                                    << 20;  // upstream's part of the region
  auto head = device.Map(kSuperblockOffset, kLooked, Access::kRead);
  if (absl::IsNotFound(head.status())) return true;
  FAMFS_RETURN_IF_ERROR(head.status());
  FAMFS_ASSIGN_OR_RETURN(const bool unfinished, IsMarkedUnfinished(device));
  if (unfinished) return true;
  (*head)->Invalidate(0, kLooked);
  const auto bytes = (*head)->bytes();
  const bool blank = std::all_of(bytes.begin(), bytes.end(),
                                 [](std::byte b) { return b == std::byte{0}; });
  FAMFS_RETURN_IF_ERROR((*head)->Check());
  return blank;
}

absl::Status FormatIfBlank(DaxDevice& device, const csi::PoolSection& pool,
                           const Uuid& system_uuid) {
  FAMFS_ASSIGN_OR_RETURN(const bool blank, IsBlank(device));
  if (!blank) return absl::OkStatus();
  if (pool.format != csi::FormatPolicy::kIfBlank) {
    return FailedPrecondition(
        "{} holds no famfs: make one with `famfs mkfs {}`, or set `format: "
        "if-blank` for the pool",
        device.spec(), device.spec());
  }
  MkfsOptions options;
  options.log_length = pool.log_length;
  options.system_uuid = system_uuid;
  FAMFS_RETURN_IF_ERROR(Mkfs(device, options));
  spdlog::info("pool {}: made a new famfs on {}", pool.name, device.spec());
  return absl::OkStatus();
}

void WarnOfMissing(const std::string& pool, DeviceSet& devices) {
  for (std::size_t i = 1; i < devices.size(); ++i) {
    const auto device = devices.At(i);
    if (!device.ok()) {
      spdlog::warn(
          "pool {}: {}; volumes on it are unavailable, the others go "
          "on",
          pool, Message(device.status()));
    }
  }
}

}  // namespace

Pool::Pool(csi::PoolSection section, std::chrono::milliseconds reclaim_interval,
           const DeviceOpener& open_device)
    : section_(std::move(section)),
      retry_(reclaim_interval),
      open_device_(open_device),
      devices_(section_.name, section_.devices, open_device),
      reclaimer_({.pool = section_.name,
                  .interval = reclaim_interval,
                  .writer = [this] { return OpenedWriter(); },
                  .before_round =
                      [this](Writer& writer) { devices_.AddTo(writer); }}) {}

void Pool::OpenOrTell() {
  const std::lock_guard lock(open_mutex_);
  const auto writer = OpenLocked();
  if (!writer.ok()) next_try_ = Clock::now() + retry_;
  const std::string error(Message(writer.status()));
  if (std::exchange(told_, error) == error || writer.ok()) return;
  spdlog::error("{}", error);
}

void Pool::Look() {
  {
    const std::lock_guard lock(open_mutex_);
    const Clock::time_point now = Clock::now();
    const bool lost = !lost_.ok() && pause_.IsOver(now);
    if (writer_ == nullptr && !lost && now < next_try_) return;
  }
  OpenOrTell();
}

std::shared_ptr<Writer> Pool::OpenedWriter() {
  const std::lock_guard lock(open_mutex_);
  return writer_;
}

PoolLosses Pool::losses() {
  const std::lock_guard lock(open_mutex_);
  return losses_;
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::Open() {
  const std::lock_guard lock(open_mutex_);
  return OpenLocked();
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::OpenLocked() {
  absl::Status why;
  if (writer_ != nullptr) {
    why = writer_->CheckStanding();
    open_ = why.ok();
    if (why.ok()) return writer_;
    // One that has not stopped may go on, such as when its device is out of
    // reach for a while.
    if (writer_->stopped()) LoseLocked(why);
  }
  if (writer_ == nullptr) why = MayOpenLocked();
  if (why.ok()) {
    auto opened = OpenDevicesAndWriter();
    if (opened.ok()) return TakeUpLocked(*std::move(opened));
    why = opened.status();
    if (!lost_.ok()) {
      why = Unavailable("{}; it was lost: {}", Message(why), Message(lost_));
    }
  }
  // Whatever the cause, a later call may find it mended, and a provisioner that
  // is told a final code would forget a volume that may exist.
  return Unavailable("pool {} is not available: {}", section_.name,
                     Message(why));
}

absl::Status Pool::MayOpenLocked() const {
  if (lost_.ok()) return lost_;
  if (!pause_.IsOver(Clock::now())) {
    return Unavailable("{}; it is opened again within {} s", Message(lost_),
                       pause_.length().count());
  }
  if (!lost_writer_.expired()) {
    return Unavailable("{}; what was under way with it is ending",
                       Message(lost_));
  }
  return absl::OkStatus();
}

std::shared_ptr<Writer> Pool::TakeUpLocked(std::shared_ptr<Writer> writer) {
  writer_ = std::move(writer);
  const Uuid& fs_uuid = writer_->superblock().fs_uuid;
  if (std::exchange(last_uuid_, fs_uuid) != fs_uuid) devices_.Forget();
  devices_.AddTo(*writer_);
  WarnOfMissing(section_.name, *writer_->devices());
  const PoolFigures figures = writer_->Figures();
  spdlog::info("pool {}: opened {}, famfs {}, {} of {} free, {} volumes",
               section_.name, section_.device, fs_uuid.ToString(),
               FormatSize(figures.free), FormatSize(figures.size),
               writer_->Tree()->volumes().size());
  lost_ = absl::OkStatus();
  pause_.Opened(Clock::now());
  open_ = true;
  reclaimer_.Soon();  // what an earlier writer did not finish
  return writer_;
}

void Pool::LoseLocked(const absl::Status& why) {
  if (absl::IsAborted(why)) {
    ++losses_.overtaken;
    pause_.Overtaken(Clock::now());
  } else {
    ++(IsReplaced(why) ? losses_.replaced : losses_.other);
  }
  lost_ = why;
  writer_->CancelReclaim();  // a scrub holds the writer, and its lock
  lost_writer_ = std::exchange(writer_, nullptr);
  spdlog::error("pool {} was lost: {}", section_.name, Message(why));
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::OpenDevicesAndWriter() const {
  const bool first = !last_uuid_.has_value();
  if (first) FAMFS_RETURN_IF_ERROR(EnsureEmulatedDevice(section_));
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<DeviceSet> devices,
                         DeviceSet::Open(section_.device, section_.devices,
                                         Access::kReadWrite, open_device_));
  WriterOptions options;
  if (section_.system_uuid.has_value()) {
    options.system_uuid = *section_.system_uuid;
  } else {
    FAMFS_ASSIGN_OR_RETURN(options.system_uuid, LoadOrCreateSystemUuid());
  }
  if (first) {
    FAMFS_RETURN_IF_ERROR(
        FormatIfBlank(*devices->primary(), section_, options.system_uuid));
  }
  FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer,
                         Writer::Open(std::move(devices), options));
  return std::shared_ptr<Writer>(std::move(writer));
}

PoolSet::PoolSet(const csi::Config& config, const DeviceOpener& open_device) {
  for (const csi::PoolSection& section : config.pools) {
    pools_.push_back(std::make_unique<Pool>(
        section, config.controller.reclaim_interval, open_device));
  }
}

void PoolSet::OpenAll() {
  for (const auto& pool : pools_) pool->OpenOrTell();
}

void PoolSet::StopReclaiming() {
  for (const auto& pool : pools_) pool->StopReclaiming();
}

absl::Status PoolSet::CheckAllOpen() const {
  std::vector<std::string> closed;
  for (const auto& pool : pools_) {
    if (!pool->IsOpen()) closed.push_back(pool->name());
  }
  if (closed.empty()) return absl::OkStatus();
  return Unavailable("pools that are not open: {}", fmt::join(closed, ", "));
}

Pool& PoolSet::Get(std::string_view name) const {
  const auto it =
      std::find_if(pools_.begin(), pools_.end(),
                   [name](const auto& pool) { return pool->name() == name; });
  return **it;
}

}  // namespace famfs::controller
