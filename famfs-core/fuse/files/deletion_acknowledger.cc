#include "fuse/files/deletion_acknowledger.h"

#include <spdlog/spdlog.h>

#include <cstring>
#include <utility>

#include "instance/deletion/space.h"
#include "instance/devices/system_uuid.h"

namespace famfs {
namespace {

// Between two looks at what is left of earlier servers; a round may come every
// few milliseconds.
constexpr std::chrono::seconds kBetweenLooks{1};

}  // namespace

absl::StatusOr<HostIdentity> MakeHostIdentity(std::uint32_t connection) {
  HostIdentity identity;
  FAMFS_ASSIGN_OR_RETURN(identity.host, LoadOrCreateSystemUuid());
  FAMFS_ASSIGN_OR_RETURN(identity.boot, LoadBoot());
  std::memcpy(&identity.session, Uuid::Random().bytes.data(),
              sizeof(identity.session));
  identity.connection = connection;
  return identity;
}

absl::Status DeletionAcknowledger::TryAcknowledge() {
  FAMFS_RETURN_IF_ERROR(owned_->Check());
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_look_) {
    owned_->ClosePredecessors();
    next_look_ = now + kBetweenLooks;
  }
  const std::uint64_t done = owned_->acknowledged();
  const std::vector<PendingVolume> deletions = reader_.Deletions(done);
  if (deletions.empty()) return absl::OkStatus();
  // After the deletions: a file opened later is checked against them.
  return owned_->Acknowledge(LetGoUpTo(done, deletions, files_.OpenPlaces()));
}

void DeletionAcknowledger::AcknowledgeOnce() {
  if (owned_ == nullptr) return;
  const absl::Status status = TryAcknowledge();
  const std::string error(Message(status));
  if (error == last_error_) return;
  last_error_ = error;
  if (!status.ok()) spdlog::error("host table: {}", error);
}

absl::Status DeletionAcknowledger::MayOpen() const {
  const HostSession* const standing = session_;
  if (standing == nullptr || standing->usable()) return absl::OkStatus();
  if (standing->evicted()) return PermissionDenied("this host was evicted");
  return Unavailable("the row of this host cannot be seen now");
}

void DeletionAcknowledger::End() {
  if (owned_ != nullptr && files_.OpenPlaces().empty()) owned_->Close();
}

}  // namespace famfs
