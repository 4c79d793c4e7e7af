#include "controller/controller_service.h"

#include <algorithm>

#include "csi/rpc/limits.h"
#include "csi/volume/capabilities.h"
#include "csi/volume/topology.h"

namespace famfs::controller {
namespace {

// A requirement without segments asks for nothing.
bool CanReach(const pb::TopologyRequirement& requirement,
              std::string_view driver, std::string_view pool) {
  const auto has_pool = [&](const pb::Topology& topology) {
    return csi::HasPool(topology, driver, pool);
  };
  if (requirement.requisite_size() > 0) {
    return std::any_of(requirement.requisite().begin(),
                       requirement.requisite().end(), has_pool);
  }
  return requirement.preferred_size() == 0 ||
         std::any_of(requirement.preferred().begin(),
                     requirement.preferred().end(), has_pool);
}

}  // namespace

absl::Status ControllerService::Create(const pb::CreateVolumeRequest& request,
                                       pb::CreateVolumeResponse& response) {
  FAMFS_RETURN_IF_ERROR(csi::CheckName(request.name()));
  FAMFS_RETURN_IF_ERROR(csi::CheckCapabilities(request.volume_capabilities()));
  if (request.has_volume_content_source()) {
    return InvalidArgument(
        "volume_content_source: snapshots and clones are not supported");
  }
  FAMFS_ASSIGN_OR_RETURN(
      const csi::VolumeParameters parameters,
      csi::ParseParameters(request.parameters(), request.mutable_parameters(),
                           config_));
  FAMFS_RETURN_IF_ERROR(
      provisioner_.CheckServable(parameters, request.volume_capabilities()));
  if (!CanReach(request.accessibility_requirements(), config_.driver.name,
                parameters.pool)) {
    return ResourceExhausted(
        "no node of the asked topology reaches pool {}: its nodes carry {}",
        parameters.pool,
        csi::TopologyKey(config_.driver.name, parameters.pool));
  }
  const CreateRequest create{.name = request.name(),
                             .parameters = parameters,
                             .range = request.has_capacity_range()
                                          ? &request.capacity_range()
                                          : nullptr};
  FAMFS_ASSIGN_OR_RETURN(const VolumeInfo info, provisioner_.Create(create));
  answers_.Fill(info, *response.mutable_volume());
  return absl::OkStatus();
}

// InvalidArgument for what the volume does not support. Of the parameters those
// count that are named: the others were the configuration's when the volume was
// made, and may have changed since.
absl::Status ControllerService::CheckSupported(
    const VolumeInfo& info,
    const pb::ValidateVolumeCapabilitiesRequest& request) {
  FAMFS_RETURN_IF_ERROR(csi::CheckCapabilities(request.volume_capabilities()));
  const csi::VolumeParameters made = ParametersOf(info);
  FAMFS_RETURN_IF_ERROR(
      provisioner_.CheckServable(made, request.volume_capabilities()));
  FAMFS_ASSIGN_OR_RETURN(
      const csi::VolumeParameters named,
      csi::ParseParametersOver(made, request.parameters(),
                               request.mutable_parameters(), config_));
  const std::string difference = Difference(info, named);
  if (!difference.empty()) {
    return InvalidArgument("the volume was made with other parameters: {}",
                           difference);
  }
  if (!request.volume_context().empty()) {
    return InvalidArgument(
        "volume_context: this volume has none; it was given {} keys",
        request.volume_context().size());
  }
  return absl::OkStatus();
}

absl::Status ControllerService::Validate(
    const pb::ValidateVolumeCapabilitiesRequest& request,
    pb::ValidateVolumeCapabilitiesResponse& response) {
  FAMFS_RETURN_IF_ERROR(csi::Require(request.volume_id(), "volume_id"));
  if (request.volume_capabilities().empty()) {
    return InvalidArgument("volume_capabilities is missing");
  }
  FAMFS_ASSIGN_OR_RETURN(const VolumeInfo info,
                         provisioner_.Find(request.volume_id()));
  const absl::Status supported = CheckSupported(info, request);
  if (absl::IsInvalidArgument(supported)) {
    response.set_message(std::string(Message(supported)));
    return absl::OkStatus();
  }
  FAMFS_RETURN_IF_ERROR(supported);
  auto& confirmed = *response.mutable_confirmed();
  *confirmed.mutable_volume_capabilities() = request.volume_capabilities();
  *confirmed.mutable_parameters() = request.parameters();
  *confirmed.mutable_mutable_parameters() = request.mutable_parameters();
  return absl::OkStatus();
}

grpc::Status ControllerService::CreateVolume(
    grpc::ServerContext* /*context*/, const pb::CreateVolumeRequest* request,
    pb::CreateVolumeResponse* response) {
  return csi::Serve(*request, response,
                    [&] { return Create(*request, *response); });
}

grpc::Status ControllerService::DeleteVolume(
    grpc::ServerContext* /*context*/, const pb::DeleteVolumeRequest* request,
    pb::DeleteVolumeResponse* response) {
  return csi::Serve(*request, response, [&]() -> absl::Status {
    FAMFS_RETURN_IF_ERROR(csi::Require(request->volume_id(), "volume_id"));
    return provisioner_.Delete(request->volume_id());
  });
}

grpc::Status ControllerService::ValidateVolumeCapabilities(
    grpc::ServerContext* /*context*/,
    const pb::ValidateVolumeCapabilitiesRequest* request,
    pb::ValidateVolumeCapabilitiesResponse* response) {
  return csi::Serve(*request, response,
                    [&] { return Validate(*request, *response); });
}

grpc::Status ControllerService::ListVolumes(
    grpc::ServerContext* /*context*/, const pb::ListVolumesRequest* request,
    pb::ListVolumesResponse* response) {
  return csi::Serve(*request, response,
                    [&] { return answers_.List(*request, *response); });
}

grpc::Status ControllerService::GetCapacity(
    grpc::ServerContext* /*context*/, const pb::GetCapacityRequest* request,
    pb::GetCapacityResponse* response) {
  return csi::Serve(*request, response,
                    [&] { return answers_.Capacity(*request, *response); });
}

grpc::Status ControllerService::ControllerGetVolume(
    grpc::ServerContext* /*context*/,
    const pb::ControllerGetVolumeRequest* request,
    pb::ControllerGetVolumeResponse* response) {
  return csi::Serve(*request, response,
                    [&] { return answers_.Volume(*request, *response); });
}

grpc::Status ControllerService::ControllerGetCapabilities(
    grpc::ServerContext* /*context*/,
    const pb::ControllerGetCapabilitiesRequest* request,
    pb::ControllerGetCapabilitiesResponse* response) {
  return csi::Serve(*request, response, [&] {
    Answers::Capabilities(*response);
    return absl::OkStatus();
  });
}

}  // namespace famfs::controller
