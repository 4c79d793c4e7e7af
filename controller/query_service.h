// The Controller service for people, monitoring and the uninstall check: reads
// only. It is served without a password on a port of its own
// (--query-endpoint), so everything that changes something is refused.
//
// Each volume tells the name by which it was made, which in Kubernetes is its
// PersistentVolume's, as "name" in its volume_context. An orchestrator never
// sees that: on the CSI endpoint a volume's context is empty, for life.
#pragma once

#include "controller/controller_service.h"

namespace famfs::controller {

inline constexpr char kNameKey[] = "name";

class QueryService final : public ControllerService {
 public:
  /// Neither is owned; both outlive the service.
  QueryService(const csi::Config& config, Provisioner& provisioner)
      : ControllerService(config, provisioner, /*tells_names=*/true) {}

  // PermissionDenied, always.
  grpc::Status CreateVolume(grpc::ServerContext* context,
                            const pb::CreateVolumeRequest* request,
                            pb::CreateVolumeResponse* response) override;
  grpc::Status DeleteVolume(grpc::ServerContext* context,
                            const pb::DeleteVolumeRequest* request,
                            pb::DeleteVolumeResponse* response) override;
  grpc::Status ControllerPublishVolume(
      grpc::ServerContext* context,
      const pb::ControllerPublishVolumeRequest* request,
      pb::ControllerPublishVolumeResponse* response) override;
  grpc::Status ControllerUnpublishVolume(
      grpc::ServerContext* context,
      const pb::ControllerUnpublishVolumeRequest* request,
      pb::ControllerUnpublishVolumeResponse* response) override;
  grpc::Status ValidateVolumeCapabilities(
      grpc::ServerContext* context,
      const pb::ValidateVolumeCapabilitiesRequest* request,
      pb::ValidateVolumeCapabilitiesResponse* response) override;
  grpc::Status ControllerListVolumeHealth(
      grpc::ServerContext* context,
      const pb::ControllerListVolumeHealthRequest* request,
      pb::ControllerListVolumeHealthResponse* response) override;
  grpc::Status ControllerGetVolumeHealth(
      grpc::ServerContext* context,
      const pb::ControllerGetVolumeHealthRequest* request,
      pb::ControllerGetVolumeHealthResponse* response) override;
  grpc::Status CreateSnapshot(grpc::ServerContext* context,
                              const pb::CreateSnapshotRequest* request,
                              pb::CreateSnapshotResponse* response) override;
  grpc::Status DeleteSnapshot(grpc::ServerContext* context,
                              const pb::DeleteSnapshotRequest* request,
                              pb::DeleteSnapshotResponse* response) override;
  grpc::Status ListSnapshots(grpc::ServerContext* context,
                             const pb::ListSnapshotsRequest* request,
                             pb::ListSnapshotsResponse* response) override;
  grpc::Status GetSnapshot(grpc::ServerContext* context,
                           const pb::GetSnapshotRequest* request,
                           pb::GetSnapshotResponse* response) override;
  grpc::Status ControllerExpandVolume(
      grpc::ServerContext* context,
      const pb::ControllerExpandVolumeRequest* request,
      pb::ControllerExpandVolumeResponse* response) override;
  grpc::Status ControllerModifyVolume(
      grpc::ServerContext* context,
      const pb::ControllerModifyVolumeRequest* request,
      pb::ControllerModifyVolumeResponse* response) override;
};

}  // namespace famfs::controller
