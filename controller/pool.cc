#include "controller/pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "base/units.h"
#include "instance/mkfs.h"
#include "instance/system_uuid.h"

namespace famfs::controller {
namespace {

// How often hosts are looked at for which deleted volumes wait.
constexpr std::chrono::seconds kReclaimInterval{1};

// Whether nothing stands where a superblock would. An emulated device without
// extents has nothing there either.
absl::StatusOr<bool> IsBlank(DaxDevice& device) {
  constexpr std::uint64_t kLooked = 1ULL
                                    << 20;  // upstream's part of the region
  auto head = device.Map(kSuperblockOffset, kLooked, Access::kRead);
  if (absl::IsNotFound(head.status())) return true;
  FAMFS_RETURN_IF_ERROR(head.status());
  (*head)->Invalidate(0, kLooked);
  const auto bytes = (*head)->bytes();
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte b) { return b == std::byte{0}; });
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

}  // namespace

Pool::Pool(csi::PoolSection section, DeviceOpener open_device)
    : section_(std::move(section)), open_device_(std::move(open_device)) {
  reclaimer_ = std::thread([this] { RunReclaimer(); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(reclaim_mutex_);
    stopping_ = true;
  }
  {
    // A scrub under way may take long; the next start begins it again.
    const std::lock_guard lock(open_mutex_);
    if (writer_ != nullptr) writer_->CancelReclaim();
  }
  reclaim_wanted_.notify_one();
  reclaimer_.join();
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::Open() {
  const std::lock_guard lock(open_mutex_);
  if (writer_ != nullptr) return writer_;
  auto opened = OpenDeviceAndWriter();
  if (!opened.ok()) {
    // Whatever the cause, a later call may find it mended, and a provisioner
    // that is told a final code would forget a volume that may exist.
    return Unavailable("pool {} is not available: {}", section_.name,
                       Message(opened.status()));
  }
  writer_ = *std::move(opened);
  const PoolFigures figures = writer_->Figures();
  spdlog::info("pool {}: opened {}, famfs {}, {} of {} free, {} volumes",
               section_.name, section_.device,
               writer_->superblock().fs_uuid.ToString(),
               FormatSize(figures.free), FormatSize(figures.size),
               writer_->Tree()->volumes().size());
  return writer_;
}

absl::StatusOr<std::shared_ptr<Writer>> Pool::OpenDeviceAndWriter() const {
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<DaxDevice> device,
                         open_device_(section_.device, Access::kReadWrite));
  WriterOptions options;
  if (section_.system_uuid.has_value()) {
    options.system_uuid = *section_.system_uuid;
  } else {
    FAMFS_ASSIGN_OR_RETURN(options.system_uuid, LoadOrCreateSystemUuid());
  }
  FAMFS_RETURN_IF_ERROR(FormatIfBlank(*device, section_, options.system_uuid));
  FAMFS_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer,
                         Writer::Open(std::move(device), options));
  return std::shared_ptr<Writer>(std::move(writer));
}

void Pool::ReclaimSoon() {
  {
    const std::lock_guard lock(reclaim_mutex_);
    reclaim_ = true;
  }
  reclaim_wanted_.notify_one();
}

void Pool::RunReclaimer() {
  std::unique_lock lock(reclaim_mutex_);
  std::string last_error;
  while (true) {
    const auto wanted = [this] { return reclaim_ || stopping_; };
    if (waits_for_hosts_) {
      reclaim_wanted_.wait_for(lock, kReclaimInterval, wanted);
    } else {
      reclaim_wanted_.wait(lock, wanted);
    }
    // A stop needs no compaction: the next opening does it.
    if (stopping_) return;
    reclaim_ = false;
    lock.unlock();
    if (auto writer = Open(); writer.ok()) Reclaim(**writer, last_error);
    lock.lock();
  }
}

void Pool::Reclaim(Writer& writer, std::string& last_error) {
  const absl::Status status = writer.Reclaim();
  waits_for_hosts_ = writer.Figures().pending > 0 && !absl::IsAborted(status);
  const std::string error(Message(status));
  if (!status.ok() && error != last_error) {
    spdlog::warn("pool {}: deleted space was not given back yet: {}",
                 section_.name, error);
  }
  last_error = error;
}

PoolSet::PoolSet(const csi::Config& config, const DeviceOpener& open_device) {
  for (const csi::PoolSection& section : config.pools) {
    pools_.push_back(std::make_unique<Pool>(section, open_device));
  }
}

void PoolSet::OpenAll() {
  for (const auto& pool : pools_) {
    if (auto writer = pool->Open(); !writer.ok()) {
      spdlog::error("{}", Message(writer.status()));
    }
  }
}

Pool& PoolSet::Get(std::string_view name) const {
  const auto it =
      std::find_if(pools_.begin(), pools_.end(),
                   [name](const auto& pool) { return pool->name() == name; });
  return **it;
}

}  // namespace famfs::controller
