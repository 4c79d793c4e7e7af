#include "csi/rpc/probe.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "csi/csi.grpc.pb.h"

namespace famfs::csi {
namespace {

namespace pb = ::csi::v1;

std::shared_ptr<grpc::Channel> Connect(const Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  // A server that is being started answers soon: do not stay away for minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(
      endpoint.GrpcAddress(), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

class Prober::Impl {
 public:
  explicit Impl(const Endpoint& endpoint)
      : name_(endpoint.ToString()),
        stub_(pb::Identity::NewStub(Connect(endpoint))) {}

  absl::Status Probe(std::chrono::milliseconds limit) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    context.set_wait_for_ready(true);
    pb::ProbeResponse response;
    const grpc::Status status = stub_->Probe(&context, {}, &response);
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return absl::DeadlineExceededError(fmt::format(
          "{} did not answer a Probe within {} ms", name_, limit.count()));
    }
    if (!status.ok()) {
      return Unavailable("{} answered a Probe with an error: {}", name_,
                         status.error_message());
    }
    if (response.has_ready() && !response.ready().value()) {
      return Unavailable("{} says that it is not ready", name_);
    }
    return absl::OkStatus();
  }

 private:
  const std::string name_;
  const std::unique_ptr<pb::Identity::Stub> stub_;
};

Prober::Prober(const Endpoint& endpoint)
    : impl_(std::make_unique<Impl>(endpoint)) {}
Prober::~Prober() = default;

absl::Status Prober::Probe(std::chrono::milliseconds limit) const {
  return impl_->Probe(limit);
}

}  // namespace famfs::csi
