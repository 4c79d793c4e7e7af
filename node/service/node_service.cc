#include "node/service/node_service.h"

#include <algorithm>

#include "csi/rpc/call.h"
#include "csi/volume/capabilities.h"
#include "csi/volume/topology.h"
#include "instance/tree/promised_slots.h"

namespace famfs::node {
namespace {

using csi::Require;
using csi::RequirePath;
using csi::Serve;

absl::Status CheckStage(const pb::NodeStageVolumeRequest& request) {
  FAMFS_RETURN_IF_ERROR(Require(request.volume_id(), "volume_id"));
  FAMFS_RETURN_IF_ERROR(
      RequirePath(request.staging_target_path(), "staging_target_path"));
  if (!request.has_volume_capability()) {
    return InvalidArgument("volume_capability is missing");
  }
  return csi::CheckCapability(request.volume_capability());
}

absl::Status CheckPublish(const pb::NodePublishVolumeRequest& request) {
  FAMFS_RETURN_IF_ERROR(Require(request.volume_id(), "volume_id"));
  FAMFS_RETURN_IF_ERROR(RequirePath(request.target_path(), "target_path"));
  if (!request.has_volume_capability()) {
    return InvalidArgument("volume_capability is missing");
  }
  FAMFS_RETURN_IF_ERROR(csi::CheckCapability(request.volume_capability()));
  if (request.staging_target_path().empty()) {
    return FailedPrecondition(
        "staging_target_path is missing; this driver publishes what "
        "NodeStageVolume has staged");
  }
  return RequirePath(request.staging_target_path(), "staging_target_path");
}

Publication ToPublication(const pb::NodePublishVolumeRequest& request) {
  const pb::VolumeCapability& capability = request.volume_capability();
  Publication publication;
  publication.volume_id = request.volume_id();
  publication.staging_path = request.staging_target_path();
  publication.target_path = request.target_path();
  publication.flags = csi::GetMountFlags(capability);
  publication.flags.read_only =
      request.readonly() || csi::IsReadOnly(capability);
  publication.mode = capability.access_mode().mode();
  publication.multi_node_writer = csi::IsMultiNodeWriter(capability);
  return publication;
}

void AddOne(pb::VolumeUsage::Unit unit, std::uint64_t total, std::uint64_t used,
            pb::NodeGetVolumeStatsResponse& response) {
  pb::VolumeUsage* usage = response.add_usage();
  usage->set_unit(unit);
  usage->set_total(static_cast<std::int64_t>(total));
  usage->set_used(static_cast<std::int64_t>(used));
  usage->set_available(
      static_cast<std::int64_t>(total - std::min(total, used)));
}

/// The one file of layout file is there to be filled: were it told as used,
/// each of these volumes would alarm whoever watches them.
void AddUsage(const Volume& volume, pb::NodeGetVolumeStatsResponse& response) {
  AddOne(pb::VolumeUsage::BYTES, volume.size, volume.usage.bytes, response);
  if (volume.layout != VolumeLayout::kTree) return;
  AddOne(pb::VolumeUsage::INODES, TreeSlots(volume.size), volume.usage.entries,
         response);
}

}  // namespace

NodeService::NodeService(const NodeOptions& options,
                         const std::string& pools_directory,
                         const VolumeMounts& mounts)
    : options_(options),
      pools_directory_(pools_directory),
      attachments_(pools_, options.kubelet_path, pools_directory, mounts),
      pools_(options.pools,
             PoolSettings{.fused_program = options.fused_program,
                          .fused_spawner = options.fused_spawner,
                          .pools_directory = pools_directory,
                          .log_format = options.log_format},
             [this](Pool& pool, const ServedPool& served) {
               return attachments_.Rebind(pool, served);
             }),
      info_wait_end_(std::chrono::steady_clock::now() + options.info_patience) {
}

absl::StatusOr<std::unique_ptr<NodeService>> NodeService::Start(
    const NodeOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const std::string pools_directory,
                         PreparePoolsDirectory(options));
  FAMFS_ASSIGN_OR_RETURN(const VolumeMounts mounts,
                         VolumeMounts::Read(pools_directory));
  std::unique_ptr<NodeService> service(
      new NodeService(options, pools_directory, mounts));
  FAMFS_RETURN_IF_ERROR(service->pools_.Start());
  FAMFS_ASSIGN_OR_RETURN(service->sweeper_,
                         Sweeper::Start(service->pools_, pools_directory));
  return service;
}

void NodeService::Interrupt() {
  pools_.Interrupt();
  attachments_.Stop();
}

grpc::Status NodeService::NodeStageVolume(
    grpc::ServerContext* /*context*/, const pb::NodeStageVolumeRequest* request,
    pb::NodeStageVolumeResponse* response) {
  return Serve(*request, response, [&]() -> absl::Status {
    FAMFS_RETURN_IF_ERROR(CheckStage(*request));
    return attachments_.Stage(request->volume_id(),
                              request->staging_target_path());
  });
}

grpc::Status NodeService::NodeUnstageVolume(
    grpc::ServerContext* /*context*/,
    const pb::NodeUnstageVolumeRequest* request,
    pb::NodeUnstageVolumeResponse* response) {
  return Serve(*request, response, [&]() -> absl::Status {
    FAMFS_RETURN_IF_ERROR(Require(request->volume_id(), "volume_id"));
    FAMFS_RETURN_IF_ERROR(
        RequirePath(request->staging_target_path(), "staging_target_path"));
    return attachments_.Unstage(request->volume_id(),
                                request->staging_target_path());
  });
}

grpc::Status NodeService::NodePublishVolume(
    grpc::ServerContext* /*context*/,
    const pb::NodePublishVolumeRequest* request,
    pb::NodePublishVolumeResponse* response) {
  return Serve(*request, response, [&]() -> absl::Status {
    FAMFS_RETURN_IF_ERROR(CheckPublish(*request));
    return attachments_.Publish(ToPublication(*request));
  });
}

grpc::Status NodeService::NodeUnpublishVolume(
    grpc::ServerContext* /*context*/,
    const pb::NodeUnpublishVolumeRequest* request,
    pb::NodeUnpublishVolumeResponse* response) {
  return Serve(*request, response, [&]() -> absl::Status {
    FAMFS_RETURN_IF_ERROR(Require(request->volume_id(), "volume_id"));
    FAMFS_RETURN_IF_ERROR(RequirePath(request->target_path(), "target_path"));
    return attachments_.Unpublish(request->volume_id(), request->target_path());
  });
}

grpc::Status NodeService::NodeGetVolumeStats(
    grpc::ServerContext* /*context*/,
    const pb::NodeGetVolumeStatsRequest* request,
    pb::NodeGetVolumeStatsResponse* response) {
  return Serve(*request, response, [&]() -> absl::Status {
    FAMFS_RETURN_IF_ERROR(Require(request->volume_id(), "volume_id"));
    // A path that is not absolute is no place of the volume: NOT_FOUND, below.
    FAMFS_RETURN_IF_ERROR(Require(request->volume_path(), "volume_path"));
    FAMFS_ASSIGN_OR_RETURN(const FoundVolume found,
                           pools_.Find(request->volume_id()));
    FAMFS_RETURN_IF_ERROR(
        attachments_.CheckMounted(found.volume.id, request->volume_path()));
    FAMFS_RETURN_IF_ERROR(found.volume.devices);
    AddUsage(found.volume, *response);
    return absl::OkStatus();
  });
}

grpc::Status NodeService::NodeGetCapabilities(
    grpc::ServerContext* /*context*/,
    const pb::NodeGetCapabilitiesRequest* request,
    pb::NodeGetCapabilitiesResponse* response) {
  return Serve(*request, response, [&] {
    using Rpc = pb::NodeServiceCapability::RPC;
    for (const auto type : {Rpc::STAGE_UNSTAGE_VOLUME, Rpc::GET_VOLUME_STATS,
                            Rpc::SINGLE_NODE_MULTI_WRITER}) {
      response->add_capabilities()->mutable_rpc()->set_type(type);
    }
    return absl::OkStatus();
  });
}

grpc::Status NodeService::NodeGetInfo(grpc::ServerContext* /*context*/,
                                      const pb::NodeGetInfoRequest* request,
                                      pb::NodeGetInfoResponse* response) {
  return Serve(*request, response, [&] {
    using std::chrono::milliseconds;
    const auto left = std::chrono::duration_cast<milliseconds>(
        info_wait_end_ - std::chrono::steady_clock::now());
    if (left.count() > 0) pools_.WaitForAll(left);
    pools_.LookAtAll();
    response->set_node_id(options_.node_id);
    for (const auto& pool : pools_.all()) {
      // One that is out of reach for a while keeps its key: what is published
      // of it here goes on.
      if (pool->serving().has_value()) {
        csi::AddPool(*response->mutable_accessible_topology(),
                     options_.driver_name, pool->name());
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace famfs::node
