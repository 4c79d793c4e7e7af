#include "node/pool.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace famfs::node {
namespace {

// Within kubelet's patience (two minutes), and long enough for a usual start.
constexpr std::chrono::seconds kStartPatience{30};

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

}  // namespace

Pool::Pool(csi::PoolSection section, PoolSettings settings, Serving serving)
    : section_(std::move(section)),
      settings_(std::move(settings)),
      serving_(std::move(serving)) {}

absl::Status Pool::Open() {
  const std::lock_guard lock(mutex_);
  if (server_ != nullptr) return absl::OkStatus();
  const absl::Status status = OpenLocked();
  if (status.ok()) return status;
  return Unavailable(
      "pool {} cannot be used on this node: {}; {}, no restart is needed",
      section_.name, Message(status), Advice(status));
}

absl::Status Pool::OpenLocked() {
  FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<DaxDevice> device,
                         OpenDevice(section_.device, Access::kRead));
  FAMFS_ASSIGN_OR_RETURN(reader_, Reader::Open(std::move(device)));
  const std::string uuid = reader_->superblock().fs_uuid.ToString();
  FusedOptions fused;
  fused.program = settings_.fused_program;
  fused.device = section_.device;
  fused.mount_point = fmt::format("{}/{}", settings_.pools_directory, uuid);
  fused.lock_file = fused.mount_point + ".lock";
  fused.log_format = settings_.log_format;
  server_ = std::make_unique<PoolServer>(
      fused, [this](const ServedPool& served) { serving_(*this, served); });
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
  const Reader::View tree = reader_->Tree();
  const auto found = tree->volumes().find(id.directory);
  const Node* node =
      found == tree->volumes().end() ? nullptr : tree->Find(found->second);
  if (node == nullptr || node->volume == nullptr) {
    return NotFound("there is no volume {} in pool {}", id.ToString(),
                    section_.name);
  }
  return Volume{.id = id,
                .size = node->volume->capacity,
                .data_path = node->volume->data_path,
                .sealed = node->volume->state == VolumeState::kSealed};
}

absl::StatusOr<ServedPool> Pool::Served() {
  auto served = server_->Wait(kStartPatience);
  if (served.ok()) return served;
  return Annotate(served.status(), fmt::format("pool {}", section_.name));
}

}  // namespace famfs::node
