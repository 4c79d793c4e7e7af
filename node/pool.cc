#include "node/pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <utility>

#include "dax/emulated.h"

namespace famfs::node {
namespace {

// Within kubelet's patience (two minutes), and long enough for a usual start.
constexpr std::chrono::seconds kStartPatience{30};

/// The devices of all files below a directory.
void AddDevices(const Namespace& tree, const Node& directory,
                std::set<std::uint64_t>& devices) {
  for (const Node& child : tree.Children(directory)) {
    for (const MediaExtent& extent : child.extents) {
      devices.insert(extent.device_index);
    }
    if (child.is_directory) AddDevices(tree, child, devices);
  }
}

/// For the server, also for one that an earlier plugin started: it reads the
/// file when it misses a device.
absl::Status WriteDeviceList(const std::string& path,
                             const std::vector<std::string>& devices) {
  const std::string fresh = path + ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    for (const std::string& device : devices) file << device << '\n';
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

absl::Status Pool::Open() {
  const std::lock_guard lock(mutex_);
  if (server_ != nullptr) return absl::OkStatus();
  const absl::Status status = OpenLocked();
  elsewhere_ = absl::IsPermissionDenied(status) || IsMeantForOthers(section_);
  if (status.ok()) return status;
  return Unavailable(
      "pool {} cannot be used on this node: {}; {}, no restart is needed",
      section_.name, Message(status), Advice(status));
}

absl::Status Pool::OpenLocked() {
  FAMFS_ASSIGN_OR_RETURN(
      std::shared_ptr<DeviceSet> devices,
      DeviceSet::Open(section_.device, section_.devices, Access::kRead));
  FAMFS_ASSIGN_OR_RETURN(reader_, Reader::Open(std::move(devices)));
  WarnOfMissingDevices();
  const std::string uuid = reader_->superblock().fs_uuid.ToString();
  FusedOptions fused;
  fused.program = settings_.fused_program;
  fused.spawner = settings_.fused_spawner;
  fused.device = section_.device;
  fused.mount_point = fmt::format("{}/{}", settings_.pools_directory, uuid);
  fused.lock_file = fused.mount_point + ".lock";
  fused.device_list = fused.mount_point + ".devices";
  fused.log_format = settings_.log_format;
  FAMFS_RETURN_IF_ERROR(WriteDeviceList(fused.device_list, section_.devices));
  server_ = std::make_unique<PoolServer>(
      fused,
      [this](const ServedPool& served) { return serving_(*this, served); });
  open_ = true;
  if (interrupted_) server_->Interrupt();  // it came too early to be seen
  return absl::OkStatus();
}

void Pool::WarnOfMissingDevices() const {
  DeviceSet& devices = *reader_->devices();
  for (std::size_t i = 1; i < devices.size(); ++i) {
    const auto device = devices.At(i);
    if (device.ok()) continue;
    spdlog::warn(
        "pool {}: {}; volumes on it cannot be used on this node until it is "
        "there, the others can",
        section_.name, Message(device.status()));
  }
}

absl::Status Pool::CheckDevices(const std::set<std::uint64_t>& devices) const {
  for (const std::uint64_t index : devices) {
    const auto device = reader_->devices()->At(index);
    if (!device.ok()) return device.status();
  }
  return absl::OkStatus();
}

std::optional<Uuid> Pool::fs_uuid() const {
  const std::lock_guard lock(mutex_);
  if (reader_ == nullptr) return std::nullopt;
  return reader_->superblock().fs_uuid;
}

absl::StatusOr<Volume> Pool::Find(const csi::VolumeId& id) {
  const auto changes = reader_->Refresh();
  if (!changes.ok()) {
    return Annotate(changes.status(),
                    fmt::format("the log of pool {}", section_.name));
  }
  Volume volume{.id = id};
  std::set<std::uint64_t> devices;
  {
    const Reader::View tree = reader_->Tree();
    const auto found = tree->volumes().find(id.directory);
    const Node* node =
        found == tree->volumes().end() ? nullptr : tree->Find(found->second);
    if (node == nullptr || node->volume == nullptr) {
      return NotFound("there is no volume {} in pool {}", id.ToString(),
                      section_.name);
    }
    volume.size = node->volume->capacity;
    volume.data_path = node->volume->data_path;
    volume.sealed = node->volume->state == VolumeState::kSealed;
    AddDevices(*tree, *node, devices);
  }
  if (const absl::Status missing = CheckDevices(devices); !missing.ok()) {
    volume.devices = Unavailable(
        "volume {} of pool {} cannot be used on this node: {}; attach that "
        "device to this node, no restart is needed",
        id.ToString(), section_.name, Message(missing));
  }
  return volume;
}

std::optional<PoolServing> Pool::serving() const {
  if (!open_) return std::nullopt;
  return server_->Now();  // set before open_, and never again
}

absl::StatusOr<ServedPool> Pool::Served() {
  auto served = server_->Wait(kStartPatience);
  if (served.ok()) return served;
  return Annotate(served.status(), fmt::format("pool {}", section_.name));
}

void Pool::Interrupt() {
  interrupted_ = true;
  if (open_) server_->Interrupt();
}

}  // namespace famfs::node
