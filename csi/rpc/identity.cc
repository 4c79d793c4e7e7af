#include "csi/rpc/identity.h"

#include <utility>

namespace famfs::csi {
namespace {

namespace pb = ::csi::v1;

class IdentityService final : public pb::Identity::Service {
 public:
  explicit IdentityService(IdentityOptions options)
      : options_(std::move(options)) {}

  grpc::Status GetPluginInfo(grpc::ServerContext* /*context*/,
                             const pb::GetPluginInfoRequest* request,
                             pb::GetPluginInfoResponse* response) override {
    return Serve(options_.caller, *request, response, [&] {
      response->set_name(options_.driver_name);
      response->set_vendor_version(options_.version);
      return absl::OkStatus();
    });
  }

  grpc::Status GetPluginCapabilities(
      grpc::ServerContext* /*context*/,
      const pb::GetPluginCapabilitiesRequest* request,
      pb::GetPluginCapabilitiesResponse* response) override {
    return Serve(options_.caller, *request, response, [&] {
      for (const auto type :
           {pb::PluginCapability_Service::CONTROLLER_SERVICE,
            pb::PluginCapability_Service::VOLUME_ACCESSIBILITY_CONSTRAINTS}) {
        response->add_capabilities()->mutable_service()->set_type(type);
      }
      return absl::OkStatus();
    });
  }

  grpc::Status Probe(grpc::ServerContext* /*context*/,
                     const pb::ProbeRequest* request,
                     pb::ProbeResponse* response) override {
    return Serve(options_.caller, *request, response, [&] {
      const bool ready = !options_.ready || options_.ready();
      response->mutable_ready()->set_value(ready);
      return absl::OkStatus();
    });
  }

 private:
  const IdentityOptions options_;
};

}  // namespace

std::unique_ptr<pb::Identity::Service> MakeIdentityService(
    IdentityOptions options) {
  return std::make_unique<IdentityService>(std::move(options));
}

}  // namespace famfs::csi
