#include "controller/questions.h"

#include <google/protobuf/descriptor.h>

namespace famfs::controller {
namespace {

// One of anybody's questions as the body of a unary call.
template <class Request, class Response, class Answer>
void Ask(csi::UnaryMethods& methods, const std::string& name, Answer answer) {
  methods.Add<Request, Response>(
      "/csi.v1.Controller/" + name,
      [answer](const Request& request, Response* response) {
        return csi::Serve(csi::Caller::kAnybody, request, response,
                          [&] { return answer(request, *response); });
      });
}

using IdentityMethods = pb::Identity::Service;

// A method of Identity. None of ours looks at its context.
template <class Request, class Response>
void Add(csi::UnaryMethods& methods, const std::string& name,
         IdentityMethods& service,
         grpc::Status (IdentityMethods::*method)(grpc::ServerContext*,
                                                 const Request*, Response*)) {
  methods.Add<Request, Response>(
      "/csi.v1.Identity/" + name,
      [&service, method](const Request& request, Response* response) {
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

csi::UnaryMethods Questions(const Answers& answers, IdentityMethods& identity) {
  csi::UnaryMethods methods;
  RefuseAll(methods);
  Ask<pb::ListVolumesRequest, pb::ListVolumesResponse>(
      methods, "ListVolumes", [&](const auto& request, auto& response) {
        return answers.List(request, response);
      });
  Ask<pb::GetCapacityRequest, pb::GetCapacityResponse>(
      methods, "GetCapacity", [&](const auto& request, auto& response) {
        return answers.Capacity(request, response);
      });
  Ask<pb::ControllerGetVolumeRequest, pb::ControllerGetVolumeResponse>(
      methods, "ControllerGetVolume", [&](const auto& request, auto& response) {
        return answers.Volume(request, response);
      });
  Ask<pb::ControllerGetCapabilitiesRequest,
      pb::ControllerGetCapabilitiesResponse>(
      methods, "ControllerGetCapabilities",
      [](const auto& /*request*/, auto& response) {
        Answers::Capabilities(response);
        return absl::OkStatus();
      });
  Add(methods, "GetPluginInfo", identity, &IdentityMethods::GetPluginInfo);
  Add(methods, "GetPluginCapabilities", identity,
      &IdentityMethods::GetPluginCapabilities);
  Add(methods, "Probe", identity, &IdentityMethods::Probe);
  return methods;
}

}  // namespace famfs::controller
