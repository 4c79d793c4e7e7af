// The Identity service, the same in controller and node: every instance of one
// version must name the same capabilities.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "csi/csi.grpc.pb.h"
#include "csi/rpc/call.h"

namespace famfs::csi {

struct IdentityOptions {
  std::string driver_name;
  std::string version;  // FAMFS_VERSION
  /// Empty: ready. Answer false only while a restart would not help and calls
  /// cannot be served at all: liveness probes turn a long false into a kill.
  std::function<bool()> ready{};
  Caller caller = Caller::kOrchestrator;
};

std::unique_ptr<::csi::v1::Identity::Service> MakeIdentityService(
    IdentityOptions options);

}  // namespace famfs::csi
