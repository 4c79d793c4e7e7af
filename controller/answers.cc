#include "controller/answers.h"

#include <algorithm>

#include "csi/volume/capabilities.h"
#include "csi/volume/topology.h"

namespace famfs::controller {
namespace {

constexpr pb::ControllerServiceCapability::RPC::Type kCapabilities[] = {
    pb::ControllerServiceCapability::RPC::CREATE_DELETE_VOLUME,
    pb::ControllerServiceCapability::RPC::LIST_VOLUMES,
    pb::ControllerServiceCapability::RPC::GET_CAPACITY,
    pb::ControllerServiceCapability::RPC::GET_VOLUME,
    pb::ControllerServiceCapability::RPC::SINGLE_NODE_MULTI_WRITER,
};

// Entries of one answer; 0 and more than fit: as many as fit. gRPC's clients
// take 4 MiB at most, and what a stranger does not read, we keep.
std::size_t PageSize(std::int32_t wanted, csi::Caller caller) {
  const std::size_t most = caller == csi::Caller::kAnybody ? 200 : 8'000;
  return wanted == 0 ? most : std::min(most, static_cast<std::size_t>(wanted));
}

}  // namespace

void Answers::Fill(const VolumeInfo& info, pb::Volume& volume) const {
  volume.set_volume_id(info.id);
  volume.set_capacity_bytes(
      static_cast<std::int64_t>(info.attributes.capacity));
  csi::AddPool(*volume.add_accessible_topology(), config_.driver.name,
               info.pool);
  if (caller_ == csi::Caller::kAnybody) {
    (*volume.mutable_volume_context())[kNameKey] = info.attributes.name;
  }
}

absl::Status Answers::List(const pb::ListVolumesRequest& request,
                           pb::ListVolumesResponse& response) const {
  if (request.max_entries() < 0) {
    return InvalidArgument("max_entries: {} is negative",
                           request.max_entries());
  }
  std::optional<ListKey> after;
  if (!request.starting_token().empty()) {
    FAMFS_ASSIGN_OR_RETURN(after, DecodeListToken(request.starting_token()));
    if (config_.FindPool(after->pool) == nullptr) {
      return Aborted(
          "starting_token names a pool that the configuration does not have: "
          "list again from the beginning");
    }
  }
  FAMFS_ASSIGN_OR_RETURN(
      const Page page,
      source_.List(after, PageSize(request.max_entries(), caller_)));
  for (const VolumeInfo& info : page.volumes) {
    Fill(info, *response.add_entries()->mutable_volume());
  }
  if (page.next_after.has_value()) {
    response.set_next_token(EncodeListToken(*page.next_after));
  }
  return absl::OkStatus();
}

absl::Status Answers::Capacity(const pb::GetCapacityRequest& request,
                               pb::GetCapacityResponse& response) const {
  FAMFS_ASSIGN_OR_RETURN(
      const csi::VolumeParameters parameters,
      csi::ParseParameters(request.parameters(), {}, config_));
  response.mutable_minimum_volume_size()->set_value(
      static_cast<std::int64_t>(kAllocUnit));
  // A present topology without the pool's key, also an empty one, is a node
  // that does not reach the pool: presence decides, not size.
  const bool reachable = !request.has_accessible_topology() ||
                         csi::HasPool(request.accessible_topology(),
                                      config_.driver.name, parameters.pool);
  const auto& capabilities = request.volume_capabilities();
  absl::Status servable;
  if (!capabilities.empty()) servable = csi::CheckCapabilities(capabilities);
  if (servable.ok()) {
    servable = source_.CheckServable(parameters, capabilities);
  }
  AvailableSpace capacity;
  if (servable.ok() && reachable) {
    FAMFS_ASSIGN_OR_RETURN(capacity, source_.GetCapacity(parameters));
  } else if (!servable.ok() && !absl::IsInvalidArgument(servable)) {
    return servable;
  }
  response.set_available_capacity(static_cast<std::int64_t>(capacity.free));
  response.mutable_maximum_volume_size()->set_value(
      static_cast<std::int64_t>(capacity.largest));
  return absl::OkStatus();
}

absl::Status Answers::Volume(const pb::ControllerGetVolumeRequest& request,
                             pb::ControllerGetVolumeResponse& response) const {
  FAMFS_RETURN_IF_ERROR(csi::Require(request.volume_id(), "volume_id"));
  FAMFS_ASSIGN_OR_RETURN(const VolumeInfo info,
                         source_.Find(request.volume_id()));
  Fill(info, *response.mutable_volume());
  response.mutable_status();
  return absl::OkStatus();
}

void Answers::Capabilities(pb::ControllerGetCapabilitiesResponse& response) {
  for (const auto type : kCapabilities) {
    response.add_capabilities()->mutable_rpc()->set_type(type);
  }
}

}  // namespace famfs::controller
