#include "controller/pool_opener.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "controller/emulated_device.h"
#include "instance/check/mkfs.h"
#include "instance/devices/identity.h"
#include "instance/devices/system_uuid.h"
#include "instance/devices/unfinished.h"

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

/// Of the further devices, of those that are there: for the length of the log.
std::uint64_t BytesOfFurther(const csi::PoolSection& pool,
                             const DeviceOpener& open_device) {
  std::uint64_t bytes = 0;
  for (const DeviceSpec& spec : pool.devices) {
    const auto device = open_device(spec, Access::kRead);
    if (device.ok()) {
      bytes += (*device)->size();
    } else if (!pool.log_length.has_value()) {
      spdlog::warn(
          "pool {}: the log that is made now, and never grows, does not count "
          "on the device {}, which cannot be opened (pools[].logLength sets "
          "its length): {}",
          pool.name, spec.ToString(), Message(device.status()));
    }
  }
  return bytes;
}

absl::Status FormatIfBlank(DaxDevice& device, const csi::PoolSection& pool,
                           const Uuid& system_uuid,
                           const DeviceOpener& open_device) {
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
  options.further_bytes = BytesOfFurther(pool, open_device);
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

absl::Status PoolOpener::Check() {
  if (writer_ == nullptr) return lost_;
  absl::Status standing = writer_->CheckStanding();
  // One that has not stopped may go on, such as when its device is out of reach
  // for a while.
  if (!standing.ok() && writer_->stopped()) Lose(standing);
  if (standing.ok() && answerer_ == nullptr) AnswerHosts();
  return standing;
}

absl::Status PoolOpener::Open() {
  if (writer_ != nullptr) return absl::OkStatus();
  FAMFS_RETURN_IF_ERROR(MayOpen());
  auto opened = OpenDevicesAndWriter();
  if (opened.ok()) {
    TakeUp(*std::move(opened));
    return absl::OkStatus();
  }
  if (lost_.ok()) return opened.status();
  return Unavailable("{}; it was lost: {}", Message(opened.status()),
                     Message(lost_));
}

bool PoolOpener::IsDueAgain() const {
  return !lost_.ok() && pause_.IsOver(Clock::now());
}

absl::Status PoolOpener::MayOpen() const {
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

void PoolOpener::TakeUp(std::shared_ptr<Writer> writer) {
  writer_ = std::move(writer);
  const Uuid& fs_uuid = writer_->superblock().fs_uuid;
  if (std::exchange(last_uuid_, fs_uuid) != fs_uuid) devices_.Forget();
  devices_.AddTo(*writer_);
  AnswerHosts();
  WarnOfMissing(section_.name, *writer_->devices());
  const PoolFigures figures = writer_->Figures();
  spdlog::info("pool {}: opened {}, famfs {}, {} of {} free, {} volumes",
               section_.name, section_.device.ToString(), fs_uuid.ToString(),
               FormatSize(figures.free), FormatSize(figures.size),
               writer_->Tree()->volumes().size());
  lost_ = absl::OkStatus();
  pause_.Opened(Clock::now());
}

// Without it volumes are made and deleted as ever; it is tried again.
void PoolOpener::AnswerHosts() {
  if (!answers_) return;
  auto started = Answerer::Start(*writer_);
  if (started.ok()) {
    answerer_ = *std::move(started);
  } else {
    spdlog::error("pool {}: what hosts ask for is not answered: {}",
                  section_.name, Message(started.status()));
  }
}

// A request that waits for a scrub is waited for, too.
void PoolOpener::StopAnswering() {
  answers_ = false;
  if (answerer_ == nullptr) return;
  writer_->CancelReclaim();
  answerer_.reset();
}

void PoolOpener::Lose(const absl::Status& why) {
  if (absl::IsAborted(why)) {
    ++losses_.overtaken;
    pause_.Overtaken(Clock::now());
  } else {
    ++(IsReplaced(why) ? losses_.replaced : losses_.other);
  }
  lost_ = why;
  // A scrub holds the writer, and its lock, and a request may wait for one.
  writer_->CancelReclaim();
  answerer_.reset();
  lost_writer_ = std::exchange(writer_, nullptr);
  spdlog::error("pool {} was lost: {}", section_.name, Message(why));
}

absl::StatusOr<std::shared_ptr<Writer>> PoolOpener::OpenDevicesAndWriter()
    const {
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
    FAMFS_RETURN_IF_ERROR(FormatIfBlank(*devices->primary(), section_,
                                        options.system_uuid, open_device_));
  }
  FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer,
                         Writer::Open(std::move(devices), options));
  return std::shared_ptr<Writer>(std::move(writer));
}

}  // namespace famfs::controller
