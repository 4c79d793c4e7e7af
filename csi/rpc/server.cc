#include "csi/rpc/server.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <mutex>
#include <utility>

#include "csi/rpc/not_offered.h"

namespace famfs::csi {
namespace {

// Without a port: the acceptor brings the connections.
absl::StatusOr<std::unique_ptr<grpc::Server>> Build(
    const std::vector<grpc::Service*>& services, const ServerOptions& options) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  builder.experimental().SetInterceptorCreators(MakeNotOfferedInterceptors());
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return Unavailable("gRPC starts no server; see its message above");
  }
  return server;
}

}  // namespace

class GrpcServer::Impl {
 public:
  explicit Impl(const ServerOptions& options) : options_(options) {}
  ~Impl() { Stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The socket appears when everything behind it is there.
  absl::Status Start(const Endpoint& endpoint,
                     const std::vector<grpc::Service*>& services) {
    FAMFS_ASSIGN_OR_RETURN(server_, Build(services, options_));
    FAMFS_ASSIGN_OR_RETURN(auto listener,
                           Listener::Open(endpoint, options_.socket_mode));
    FAMFS_ASSIGN_OR_RETURN(
        acceptor_,
        Acceptor::Start(std::move(listener), options_.accept,
                        [server = server_.get()](UniqueFd connection) {
                          grpc::AddInsecureChannelFromFd(server,
                                                         connection.release());
                        }));
    return absl::OkStatus();
  }

  void Stop() {
    std::call_once(stopped_, [this] {
      // First: who comes now finds nothing, not a refusal.
      if (acceptor_ != nullptr) acceptor_->Stop();
      if (server_ == nullptr) return;
      server_->Shutdown(std::chrono::system_clock::now() +
                        options_.drain_limit);
      server_->Wait();
      server_.reset();
    });
  }

  Listener& listener() { return acceptor_->listener(); }

 private:
  const ServerOptions options_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;  // brings connections to the server
  std::once_flag stopped_;
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const Endpoint& endpoint, const std::vector<grpc::Service*>& services,
    const ServerOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  FAMFS_RETURN_IF_ERROR(impl->Start(endpoint, services));
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() = default;

const Endpoint& GrpcServer::endpoint() const {
  return impl_->listener().endpoint();
}
bool GrpcServer::OwnsSocket() const { return impl_->listener().OwnsSocket(); }
absl::Status GrpcServer::Reappear() { return impl_->listener().Reappear(); }
void GrpcServer::Stop() { impl_->Stop(); }

}  // namespace famfs::csi
