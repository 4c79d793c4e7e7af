// The Identity service, the same in controller and node: every instance of one
// version must name the same capabilities.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace grpc {
class Service;
}  // namespace grpc

namespace famfs::csi {

struct IdentityOptions {
  std::string driver_name;
  std::string version;  // FAMFS_VERSION
  /// Empty: ready. Answer false only while a restart would not help and calls
  /// cannot be served at all: liveness probes turn a long false into a kill.
  std::function<bool()> ready{};
};

std::unique_ptr<grpc::Service> MakeIdentityService(IdentityOptions options);

}  // namespace famfs::csi
