// Calls that a service does not implement. The generated code answers them with
// UNIMPLEMENTED and no message; CSI wants a message with every error, and the
// log a line for every call.
#pragma once

#include <memory>
#include <vector>

namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}  // namespace grpc::experimental

namespace famfs::csi {

/// For grpc::ServerBuilder: gives an error without a message one that names the
/// method, and logs it. Everything else passes untouched.
std::vector<
    std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
MakeNotOfferedInterceptors();

}  // namespace famfs::csi
