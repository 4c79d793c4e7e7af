// The peer of the calls: a gRPC server that does nothing, with CSI's messages.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/prctl.h>

#include "csi/csi.grpc.pb.h"
#include "tests/bench/benches.h"

namespace famfs::bench {
namespace {

namespace pb = ::csi::v1;

// Answers of the sizes that the driver's have.
class EchoController final : public pb::Controller::Service {
  grpc::Status CreateVolume(grpc::ServerContext* /*context*/,
                            const pb::CreateVolumeRequest* request,
                            pb::CreateVolumeResponse* response) override {
    pb::Volume& volume = *response->mutable_volume();
    volume.set_volume_id("v1:01234567:0123456789abcdef-01234567");
    volume.set_capacity_bytes(request->capacity_range().required_bytes());
    (*volume.add_accessible_topology()
          ->mutable_segments())["topology.famfs.csi/bench"] = "true";
    return grpc::Status::OK;
  }
};

class EchoNode final : public pb::Node::Service {
  grpc::Status NodeStageVolume(grpc::ServerContext* /*context*/,
                               const pb::NodeStageVolumeRequest* /*request*/,
                               pb::NodeStageVolumeResponse* /*r*/) override {
    return grpc::Status::OK;
  }
  grpc::Status NodePublishVolume(
      grpc::ServerContext* /*context*/,
      const pb::NodePublishVolumeRequest* /*request*/,
      pb::NodePublishVolumeResponse* /*r*/) override {
    return grpc::Status::OK;
  }
};

}  // namespace

int ServeEcho(const std::string& socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  EchoController controller;
  EchoNode node;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&controller);
  builder.RegisterService(&node);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 2;
  server->Wait();
  return 0;
}

}  // namespace famfs::bench
