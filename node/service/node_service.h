// The CSI Node service of one node. What each call does when repeated or half
// done is said in attachments.h; what the mounts are is read from mountinfo.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "csi/config/config.h"
#include "csi/csi.grpc.pb.h"
#include "node/pools/pools.h"
#include "node/pools/sweeper.h"
#include "node/service/node_metrics.h"
#include "node/volumes/attachments.h"

namespace famfs::node {

namespace pb = ::csi::v1;

struct NodeOptions {
  std::string driver_name;
  std::string node_id;
  std::string kubelet_path;   // as configured
  std::string fused_program;  // path of famfs-fused
  std::string fused_spawner;  // socket; empty: children of our own
  std::string log_format;     // of famfs-fused
  std::vector<csi::PoolSection> pools;
  /// Pods need what is mounted here: refuse a kubelet directory that does not
  /// lie on a shared mount. Otherwise it is only warned of.
  bool needs_shared_mount = false;
  /// How long after the start NodeGetInfo waits for pools that do not open yet:
  /// for a registrar that would call it too early and never again. 0: not.
  std::chrono::milliseconds info_patience{0};
};

/// Health and expansion are not advertised and answer UNIMPLEMENTED (the base
/// class does).
class NodeService final : public pb::Node::Service {
 public:
  /// Opens the pools and starts, or finds, their servers. Errors:
  /// PreparePoolsDirectory's; Unavailable: there are no threads to be had.
  static absl::StatusOr<std::unique_ptr<NodeService>> Start(
      const NodeOptions& options);

  grpc::Status NodeStageVolume(grpc::ServerContext* context,
                               const pb::NodeStageVolumeRequest* request,
                               pb::NodeStageVolumeResponse* response) override;
  grpc::Status NodeUnstageVolume(
      grpc::ServerContext* context, const pb::NodeUnstageVolumeRequest* request,
      pb::NodeUnstageVolumeResponse* response) override;
  grpc::Status NodePublishVolume(
      grpc::ServerContext* context, const pb::NodePublishVolumeRequest* request,
      pb::NodePublishVolumeResponse* response) override;
  grpc::Status NodeUnpublishVolume(
      grpc::ServerContext* context,
      const pb::NodeUnpublishVolumeRequest* request,
      pb::NodeUnpublishVolumeResponse* response) override;
  /// From the log alone: total and available are the volume's size (its file is
  /// there to be filled), used is 0. Unavailable, naming it, when a device that
  /// the volume lies on is missing here.
  grpc::Status NodeGetVolumeStats(
      grpc::ServerContext* context,
      const pb::NodeGetVolumeStatsRequest* request,
      pb::NodeGetVolumeStatsResponse* response) override;
  grpc::Status NodeGetCapabilities(
      grpc::ServerContext* context,
      const pb::NodeGetCapabilitiesRequest* request,
      pb::NodeGetCapabilitiesResponse* response) override;
  /// One topology key for each pool that opens here; one that does not answer
  /// is not waited for. Never fewer than before, in the life of this process.
  grpc::Status NodeGetInfo(grpc::ServerContext* context,
                           const pb::NodeGetInfoRequest* request,
                           pb::NodeGetInfoResponse* response) override;

  /// The plugin ends: calls that wait for a server are answered Unavailable at
  /// once, and nothing is bound again any more. Mounts and servers stay.
  void Interrupt();

  [[nodiscard]] const Pools& pools() const { return pools_; }
  void Collect(csi::Exposition& page) const {
    CollectNode(pools_, pools_directory_, page);
  }

 private:
  NodeService(const NodeOptions& options, const std::string& pools_directory,
              const VolumeMounts& mounts);

  const NodeOptions options_;
  const std::string pools_directory_;
  // Before pools_, whose threads use it until they have ended.
  Attachments attachments_;
  Pools pools_;
  std::unique_ptr<Sweeper> sweeper_;
  const std::chrono::steady_clock::time_point info_wait_end_;
};

/// Makes KUBELET_PATH/plugins/DRIVER/pools and answers its real path. NotFound
/// when there is no kubelet directory. FailedPrecondition, or a warning: it is
/// on no shared mount.
absl::StatusOr<std::string> PreparePoolsDirectory(const NodeOptions& options);

}  // namespace famfs::node
