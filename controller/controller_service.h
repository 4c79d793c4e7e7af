// CSI's Controller service over a Provisioner. Each method checks its request,
// calls, and fills the response; what a repeated call does stands at the
// Provisioner's methods.
#pragma once

#include "controller/answers.h"
#include "controller/provisioner.h"
#include "csi/config/config.h"
#include "csi/csi.grpc.pb.h"

namespace famfs::controller {

class ControllerService : public pb::Controller::Service {
 public:
  /// Neither is owned; both outlive the service.
  ControllerService(const csi::Config& config, Provisioner& provisioner)
      : config_(config),
        provisioner_(provisioner),
        answers_(config, provisioner, csi::Caller::kOrchestrator) {}

  grpc::Status CreateVolume(grpc::ServerContext* context,
                            const pb::CreateVolumeRequest* request,
                            pb::CreateVolumeResponse* response) override;
  grpc::Status DeleteVolume(grpc::ServerContext* context,
                            const pb::DeleteVolumeRequest* request,
                            pb::DeleteVolumeResponse* response) override;
  grpc::Status ValidateVolumeCapabilities(
      grpc::ServerContext* context,
      const pb::ValidateVolumeCapabilitiesRequest* request,
      pb::ValidateVolumeCapabilitiesResponse* response) override;
  grpc::Status ListVolumes(grpc::ServerContext* context,
                           const pb::ListVolumesRequest* request,
                           pb::ListVolumesResponse* response) override;
  grpc::Status GetCapacity(grpc::ServerContext* context,
                           const pb::GetCapacityRequest* request,
                           pb::GetCapacityResponse* response) override;
  grpc::Status ControllerGetVolume(
      grpc::ServerContext* context,
      const pb::ControllerGetVolumeRequest* request,
      pb::ControllerGetVolumeResponse* response) override;
  grpc::Status ControllerGetCapabilities(
      grpc::ServerContext* context,
      const pb::ControllerGetCapabilitiesRequest* request,
      pb::ControllerGetCapabilitiesResponse* response) override;

 private:
  absl::Status Create(const pb::CreateVolumeRequest& request,
                      pb::CreateVolumeResponse& response);
  absl::Status CheckSupported(
      const VolumeInfo& info,
      const pb::ValidateVolumeCapabilitiesRequest& request);
  absl::Status Validate(const pb::ValidateVolumeCapabilitiesRequest& request,
                        pb::ValidateVolumeCapabilitiesResponse& response);

  const csi::Config& config_;
  Provisioner& provisioner_;
  const Answers answers_;
};

}  // namespace famfs::controller
