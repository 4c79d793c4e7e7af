#include "csi/telemetry/http_server.h"

#include <utility>

#include "csi/rpc/acceptor.h"

namespace famfs::csi {

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const Endpoint& endpoint, HttpPages pages, const HttpLimits& limits) {
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->serving_ = std::make_shared<HttpServing>(std::move(pages), limits);
  FAMFS_ASSIGN_OR_RETURN(auto listener, Listener::Open(endpoint));
  FAMFS_ASSIGN_OR_RETURN(
      server->reception_,
      HttpReception::Start(
          limits, [serving = server->serving_](HttpReception::Asked asked) {
            serving->Take(std::move(asked));
          }));
  // The limits are those of reception and serving.
  FAMFS_ASSIGN_OR_RETURN(
      server->acceptor_,
      Acceptor::Start(std::move(listener), {.from_strangers = true},
                      [reception = server->reception_.get()](UniqueFd fd) {
                        reception->Take(std::move(fd));
                      }));
  return server;
}

HttpServer::~HttpServer() {
  if (acceptor_ != nullptr) acceptor_->Stop();
  reception_.reset();
  serving_->PushOutAllAndWait();
}

const Endpoint& HttpServer::endpoint() const {
  return acceptor_->listener().endpoint();
}

}  // namespace famfs::csi
