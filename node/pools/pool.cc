#include "node/pools/pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include "dax/emulated.h"
#include "instance/devices/identity.h"
#include "node/pools/pool_watch.h"

namespace famfs::node {
namespace {

// Within kubelet's patience (two minutes), and long enough for a usual start.
constexpr std::chrono::seconds kStartPatience{30};

/// The devices of all files below a directory. Pods make directories in each
/// other: a stack would be as deep.
std::set<std::uint64_t> DevicesBelow(const Namespace& tree,
                                     const Node& directory) {
  std::set<std::uint64_t> devices;
  std::vector<const Node*> directories = {&directory};
  while (!directories.empty()) {
    const Node* at = directories.back();
    directories.pop_back();
    for (const Node& child : tree.Children(*at)) {
      for (const MediaExtent& extent : child.extents) {
        devices.insert(extent.device_index);
      }
      if (child.is_directory) directories.push_back(&child);
    }
  }
  return devices;
}

/// For the server, also for one that an earlier plugin started: it reads the
/// file when it misses a device.
absl::Status WriteDeviceList(const std::string& path,
                             const std::vector<DeviceSpec>& devices) {
  const std::string fresh = path + ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    for (const DeviceSpec& device : devices) file << device.ToString() << '\n';
    file.close();
    if (!file) return Unavailable("{}: cannot be written", fresh);
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    return ErrnoError(errno, path);
  }
  return absl::OkStatus();
}

std::string Advice(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "attach the device to this node or correct pools[].device";
    case absl::StatusCode::kFailedPrecondition:
      return "make an instance on it with `famfs mkfs`, or let the controller "
             "do it (pools[].format: if-blank)";
    case absl::StatusCode::kPermissionDenied:
      return "let this host see the device";
    case absl::StatusCode::kDataLoss:
      return "examine it with `famfs fsck`";
    default:
      return "mend that";
  }
}

/// Says since when, as long as it lives.
class LookUnderWay {
 public:
  using Clock = std::chrono::steady_clock;
  explicit LookUnderWay(std::atomic<Clock::rep>& began) : began_(began) {
    began_ = Clock::now().time_since_epoch().count();
  }
  ~LookUnderWay() { began_ = 0; }
  LookUnderWay(const LookUnderWay&) = delete;
  LookUnderWay& operator=(const LookUnderWay&) = delete;

 private:
  std::atomic<Clock::rep>& began_;
};

// The configuration's own list: a host that lacks the directory cannot read the
// device's.
bool IsMeantForOthers(const csi::PoolSection& section) {
  if (!section.emulated.has_value() || section.emulated->hosts.empty()) {
    return false;
  }
  const std::vector<std::string>& hosts = section.emulated->hosts;
  return std::find(hosts.begin(), hosts.end(), EmulatedHostName()) ==
         hosts.end();
}

}  // namespace

Pool::Pool(csi::PoolSection section, PoolSettings settings, Serving serving)
    : section_(std::move(section)),
      settings_(std::move(settings)),
      serving_(std::move(serving)) {}

absl::Status Pool::Look(bool devices) {
  const LookUnderWay under_way(look_began_);
  TakeEnded();
  const absl::Status status = OpenOrRefresh(devices);
  open_ = status.ok();
  elsewhere_ = absl::IsPermissionDenied(status) || IsMeantForOthers(section_);
  absl::Status told =
      status.ok() ? status
                  : Unavailable(
                        "pool {} cannot be used on this node: {}; {}, no "
                        "restart is needed",
                        section_.name, Message(status), Advice(status));
  LogOnce(told);
  return told;
}

void Pool::LogOnce(const absl::Status& status) {
  const std::string error(Message(status));
  if (std::exchange(logged_, error) == error) return;
  if (status.ok()) {
    spdlog::info("pool {} is open on this node now", section_.name);
  } else {
    spdlog::log(elsewhere_ ? spdlog::level::info : spdlog::level::warn, "{}",
                error);
  }
}

bool Pool::Hangs() const {
  using Clock = std::chrono::steady_clock;
  const Clock::rep began = look_began_;
  return began != 0 &&
         Clock::now().time_since_epoch() - Clock::duration(began) >
             kLookPatience;
}

absl::Status Pool::OpenOrRefresh(bool devices) {
  if (const auto instance = Now(); instance.ok()) {
    absl::Status status = Refresh(**instance, devices);
    if (!IsReplaced(status)) return status;
    Replace(status);
  }
  FAMFS_ASSIGN_OR_RETURN(
      std::shared_ptr<DeviceSet> set,
      DeviceSet::Open(section_.device, section_.devices, Access::kRead));
  auto instance = std::make_shared<Instance>();
  FAMFS_ASSIGN_OR_RETURN(instance->reader, Reader::Open(std::move(set)));
  LookForDevices(*instance);
  WarnOfMissingDevices(*instance);
  return Serve(std::move(instance));
}

absl::Status Pool::Refresh(Instance& instance, bool devices) {
  Reader& reader = *instance.reader;
  FAMFS_RETURN_IF_ERROR(reader.identity().Check());
  if (const auto changes = reader.Refresh(); !changes.ok()) {
    return Annotate(changes.status(), "its log");
  }
  if (devices) LookForDevices(instance);
  return absl::OkStatus();
}

void Pool::LookForDevices(Instance& instance) {
  DeviceSet& devices = *instance.reader->devices();
  devices.Verify();
  std::map<std::uint64_t, absl::Status> missing;
  for (std::size_t i = 1; i < devices.size(); ++i) {
    const auto device = devices.At(i);
    if (!device.ok()) missing.emplace(i, device.status());
  }
  const MutexLock lock(instance.mutex);
  instance.missing = std::move(missing);
}

absl::Status Pool::Serve(std::shared_ptr<Instance> instance) {
  const std::string uuid = instance->reader->superblock().fs_uuid.ToString();
  FusedLaunch fused;
  fused.program = settings_.fused_program;
  fused.spawner = settings_.fused_spawner;
  fused.device = section_.device;
  fused.mount_point = fmt::format("{}/{}", settings_.pools_directory, uuid);
  fused.lock_file = fused.mount_point + ".lock";
  fused.device_list = fused.mount_point + ".devices";
  fused.log_format = settings_.log_format;
  bool came_back = false;
  {
    const MutexLock lock(mutex_);
    came_back = former_.erase(instance->reader->superblock().fs_uuid) > 0;
  }
  FAMFS_RETURN_IF_ERROR(WriteDeviceList(fused.device_list, section_.devices));
  // Its thread asks for the instance.
  const MutexLock lock(mutex_);
  if (interrupted_) return Unavailable("the plugin ends");
  FAMFS_ASSIGN_OR_RETURN(
      instance->server,
      PoolServer::Start(
          fused,
          [this](const ServedPool& served) { return serving_(*this, served); },
          came_back));
  instance_ = std::move(instance);
  return absl::OkStatus();
}

void Pool::Replace(const absl::Status& why) {
  spdlog::error(
      "pool {}: {}; what is mounted of its volumes on this node is dead for "
      "good, unless this instance comes back: end those pods",
      section_.name, Message(why));
  const MutexLock lock(mutex_);
  ++replacements_;
  earlier_starts_ += instance_->server->Now().starts;
  instance_->server->Interrupt();
  former_.insert(instance_->reader->superblock().fs_uuid);
  replaced_.push_back(std::move(instance_));
}

Pool::Instances Pool::TakeEnded() {
  const MutexLock lock(mutex_);
  // Copies are made of instance_ alone, so a count of one stays so.
  const auto ended = std::stable_partition(
      replaced_.begin(), replaced_.end(), [](const auto& instance) {
        return instance.use_count() > 1 || !instance->server->HasEnded();
      });
  Instances taken(std::make_move_iterator(ended),
                  std::make_move_iterator(replaced_.end()));
  replaced_.erase(ended, replaced_.end());
  return taken;
}

absl::StatusOr<std::shared_ptr<Pool::Instance>> Pool::Now() const {
  const MutexLock lock(mutex_);
  if (instance_ != nullptr) return instance_;
  return Unavailable("pool {} is being opened; call again", section_.name);
}

void Pool::WarnOfMissingDevices(const Instance& instance) const {
  const MutexLock lock(instance.mutex);
  for (const auto& [index, status] : instance.missing) {
    spdlog::warn(
        "pool {}: {}; volumes on it cannot be used on this node until it is "
        "there, the others can",
        section_.name, Message(status));
  }
}

std::optional<Uuid> Pool::fs_uuid() const {
  const auto instance = Now();
  if (!instance.ok()) return std::nullopt;
  return (*instance)->reader->superblock().fs_uuid;
}

bool Pool::WasReplaced(const Uuid& fs_uuid) const {
  const MutexLock lock(mutex_);
  return former_.contains(fs_uuid);
}

absl::StatusOr<Volume> Pool::Find(const csi::VolumeId& id) const {
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Instance> instance, Now());
  const Reader& reader = *instance->reader;
  Volume volume{.id = id};
  volume.usage = reader.UsageOf(id.directory);
  std::map<std::uint64_t, absl::Status> missing;
  {
    const MutexLock lock(instance->mutex);
    missing = instance->missing;
  }
  std::set<std::uint64_t> devices;
  {
    const Reader::View tree = reader.Tree();
    const auto found = tree->volumes().find(id.directory);
    const Node* node =
        found == tree->volumes().end() ? nullptr : tree->Find(found->second);
    if (!id.BelongsTo(reader.superblock().fs_uuid) || node == nullptr ||
        node->volume == nullptr) {
      return NotFound("there is no volume {} in pool {}", id.ToString(),
                      section_.name);
    }
    volume.size = node->volume->capacity;
    volume.data_path = node->volume->data_path;
    volume.layout = node->volume->layout;
    volume.sealed = node->volume->state == VolumeState::kSealed;
    if (!missing.empty()) devices = DevicesBelow(*tree, *node);
  }
  for (const std::uint64_t index : devices) {
    const auto lost = missing.find(index);
    if (lost == missing.end()) continue;
    volume.devices = Unavailable(
        "volume {} of pool {} cannot be used on this node: {}; attach that "
        "device to this node, no restart is needed",
        id.ToString(), section_.name, Message(lost->second));
    break;
  }
  return volume;
}

std::optional<PoolServing> Pool::serving() const {
  const MutexLock lock(mutex_);
  if (instance_ == nullptr) {
    if (replacements_ == 0) return std::nullopt;
    return PoolServing{.served = std::nullopt, .starts = earlier_starts_};
  }
  PoolServing serving = instance_->server->Now();
  serving.starts += earlier_starts_;
  return serving;
}

absl::StatusOr<ServedPool> Pool::Served() {
  FAMFS_ASSIGN_OR_RETURN(const std::shared_ptr<Instance> instance, Now());
  auto served = instance->server->Wait(kStartPatience);
  if (served.ok()) return served;
  return Annotate(served.status(), fmt::format("pool {}", section_.name));
}

void Pool::Interrupt() {
  const MutexLock lock(mutex_);
  interrupted_ = true;  // of one that is opened later, too
  if (instance_ != nullptr) instance_->server->Interrupt();
}

void Pool::Stop() {
  Interrupt();
  Instances all;
  {
    const MutexLock lock(mutex_);
    all = replaced_;
    if (instance_ != nullptr) all.push_back(instance_);
  }
  // Without the lock: a server's thread may wait for it.
  for (const auto& instance : all) instance->server->Stop();
}

}  // namespace famfs::node
