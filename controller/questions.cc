#include "controller/questions.h"

#include <google/protobuf/descriptor.h>

namespace famfs::controller {
namespace {

using ControllerMethods = pb::Controller::Service;
using IdentityMethods = pb::Identity::Service;

// A method of a service as the body of a unary call. No method of ours looks at
// its context.
template <class Service, class Request, class Response>
void Add(csi::UnaryMethods& methods, const std::string& path, Service& service,
         grpc::Status (Service::*method)(grpc::ServerContext*, const Request*,
                                         Response*)) {
  methods.Add<Request, Response>(
      path, [&service, method](const Request& request, Response* response) {
        return (service.*method)(nullptr, &request, response);
      });
}

void RefuseAll(csi::UnaryMethods& methods) {
  const grpc::Status refused(
      grpc::StatusCode::PERMISSION_DENIED,
      "this endpoint only answers questions (ListVolumes, GetCapacity, "
      "ControllerGetVolume); make this call on the controller's csi.sock");
  const auto* service =
      pb::Volume::descriptor()->file()->FindServiceByName("Controller");
  for (int i = 0; i < service->method_count(); ++i) {
    methods.Refuse(
        fmt::format("/{}/{}", service->full_name(), service->method(i)->name()),
        refused);
  }
}

}  // namespace

csi::UnaryMethods Questions(ControllerService& controller,
                            IdentityMethods& identity) {
  csi::UnaryMethods methods;
  RefuseAll(methods);
  ControllerMethods& service = controller;
  const auto ask = [&](const std::string& name, auto method) {
    Add(methods, "/csi.v1.Controller/" + name, service, method);
  };
  ask("ListVolumes", &ControllerMethods::ListVolumes);
  ask("GetCapacity", &ControllerMethods::GetCapacity);
  ask("ControllerGetVolume", &ControllerMethods::ControllerGetVolume);
  ask("ControllerGetCapabilities",
      &ControllerMethods::ControllerGetCapabilities);
  const auto ask_identity = [&](const std::string& name, auto method) {
    Add(methods, "/csi.v1.Identity/" + name, identity, method);
  };
  ask_identity("GetPluginInfo", &IdentityMethods::GetPluginInfo);
  ask_identity("GetPluginCapabilities",
               &IdentityMethods::GetPluginCapabilities);
  ask_identity("Probe", &IdentityMethods::Probe);
  return methods;
}

}  // namespace famfs::controller
