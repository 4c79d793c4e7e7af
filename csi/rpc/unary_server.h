// A gRPC server for a port that anybody reaches: a few unary methods, a fixed
// number of threads, and a bound on everything that a stranger can make it
// keep. A call that waits for a slow reader keeps its answer, never a thread;
// GrpcServer, which gives each call a thread for as long as it lasts, is for
// sockets of which only root has the key.
//
//   UnaryMethods methods;
//   methods.Add<pb::ProbeRequest, pb::ProbeResponse>(
//       "/csi.v1.Identity/Probe", [&](const auto& request, auto* response) {
//         return identity.Probe(nullptr, &request, response);
//       });
//   FAMFS_ASSIGN_OR_RETURN(auto server,
//                          UnaryServer::Start(endpoint, std::move(methods)));
#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "csi/rpc/acceptor.h"
#include "csi/rpc/endpoint.h"

namespace famfs::csi {

/// What answers which path. Bodies are called from a few threads at once, and
/// are short.
class UnaryMethods {
 public:
  using Body =
      std::function<grpc::Status(grpc::ByteBuffer&, grpc::ByteBuffer&)>;

  template <class Request, class Response>
  void Add(const std::string& path,
           std::function<grpc::Status(const Request&, Response*)> body) {
    bodies_[path] = [body = std::move(body)](grpc::ByteBuffer& in,
                                             grpc::ByteBuffer& out) {
      Request request;
      grpc::Status status =
          grpc::GenericDeserialize<grpc::ProtoBufferReader, Request>(&in,
                                                                     &request);
      if (!status.ok()) return status;
      Response response;
      status = body(request, &response);
      if (!status.ok()) return status;
      bool own = false;
      return grpc::GenericSerialize<grpc::ProtoBufferWriter, Response>(
          response, &out, &own);
    };
  }
  /// A path that is answered with this status, whatever the request.
  void Refuse(const std::string& path, grpc::Status status);

  /// Unimplemented for a path that was never added.
  grpc::Status Call(const std::string& path, grpc::ByteBuffer& in,
                    grpc::ByteBuffer& out) const;

 private:
  std::map<std::string, Body> bodies_;
};

/// Together they bound what is kept: 32 connections with 4 answers each.
struct UnaryLimits {
  AcceptLimits accept{
      .connections = 32, .per_address = 8, .from_strangers = true};
  int calls = 4;  // of one connection at the same time; others are refused
  /// Without a call; and of a connection's whole life, after which its calls
  /// have `grace`.
  std::chrono::milliseconds idle{10'000};
  std::chrono::milliseconds age{60'000};
  std::chrono::milliseconds grace{5'000};
  std::size_t memory = 16 << 20;  // bytes that gRPC may keep
  int max_request_bytes = 16 << 10;
  int threads = 2;
};

class UnaryServer {
 public:
  /// Serves when this returns. Errors: Listener::Open's, Acceptor::Start's.
  static absl::StatusOr<std::unique_ptr<UnaryServer>> Start(
      const Endpoint& endpoint, UnaryMethods methods,
      const UnaryLimits& limits = {});
  /// Takes no new calls, ends those that are there, removes a Unix socket.
  ~UnaryServer();
  UnaryServer(const UnaryServer&) = delete;
  UnaryServer& operator=(const UnaryServer&) = delete;

  [[nodiscard]] const Endpoint& endpoint() const;

 private:
  class Impl;
  explicit UnaryServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace famfs::csi
