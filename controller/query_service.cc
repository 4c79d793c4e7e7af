#include "controller/query_service.h"

#include "csi/call.h"

namespace famfs::controller {
namespace {

grpc::Status Refuse(const google::protobuf::Message& request,
                    google::protobuf::Message* response) {
  return csi::Serve(request, response, [] {
    return PermissionDenied(
        "this endpoint only answers questions (ListVolumes, GetCapacity, "
        "ControllerGetVolume); make this call on the controller's csi.sock");
  });
}

}  // namespace

grpc::Status QueryService::CreateVolume(grpc::ServerContext* /*context*/,
                                        const pb::CreateVolumeRequest* request,
                                        pb::CreateVolumeResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::DeleteVolume(grpc::ServerContext* /*context*/,
                                        const pb::DeleteVolumeRequest* request,
                                        pb::DeleteVolumeResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ControllerPublishVolume(
    grpc::ServerContext* /*context*/,
    const pb::ControllerPublishVolumeRequest* request,
    pb::ControllerPublishVolumeResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ControllerUnpublishVolume(
    grpc::ServerContext* /*context*/,
    const pb::ControllerUnpublishVolumeRequest* request,
    pb::ControllerUnpublishVolumeResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ValidateVolumeCapabilities(
    grpc::ServerContext* /*context*/,
    const pb::ValidateVolumeCapabilitiesRequest* request,
    pb::ValidateVolumeCapabilitiesResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ControllerListVolumeHealth(
    grpc::ServerContext* /*context*/,
    const pb::ControllerListVolumeHealthRequest* request,
    pb::ControllerListVolumeHealthResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ControllerGetVolumeHealth(
    grpc::ServerContext* /*context*/,
    const pb::ControllerGetVolumeHealthRequest* request,
    pb::ControllerGetVolumeHealthResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::CreateSnapshot(
    grpc::ServerContext* /*context*/, const pb::CreateSnapshotRequest* request,
    pb::CreateSnapshotResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::DeleteSnapshot(
    grpc::ServerContext* /*context*/, const pb::DeleteSnapshotRequest* request,
    pb::DeleteSnapshotResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ListSnapshots(
    grpc::ServerContext* /*context*/, const pb::ListSnapshotsRequest* request,
    pb::ListSnapshotsResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::GetSnapshot(grpc::ServerContext* /*context*/,
                                       const pb::GetSnapshotRequest* request,
                                       pb::GetSnapshotResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ControllerExpandVolume(
    grpc::ServerContext* /*context*/,
    const pb::ControllerExpandVolumeRequest* request,
    pb::ControllerExpandVolumeResponse* response) {
  return Refuse(*request, response);
}

grpc::Status QueryService::ControllerModifyVolume(
    grpc::ServerContext* /*context*/,
    const pb::ControllerModifyVolumeRequest* request,
    pb::ControllerModifyVolumeResponse* response) {
  return Refuse(*request, response);
}

}  // namespace famfs::controller
