// famfs-csi-call: makes one CSI call from the command line and prints the
// answer as JSON, for the demo and for whoever debugs a driver's socket by
// hand.
//
//   famfs-csi-call unix:///csi/csi.sock GetPluginInfo
//   famfs-csi-call unix:///csi/csi.sock ListVolumes '{"maxEntries": 10}'
//   famfs-csi-call unix:///csi/csi.sock DeleteVolume '{"volumeId": "v1:..."}'
#include <google/protobuf/util/json_util.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/status.h"
#include "csi/csi.pb.h"
#include "csi/rpc/endpoint.h"
#include "csi/rpc/status_mapping.h"

namespace famfs {
namespace {

namespace protobuf = google::protobuf;

struct Flags {
  std::string endpoint;
  std::string method;
  std::string request = "{}";
  int timeout_seconds = 60;
  bool timing = false;
};

// The method of that name in whichever of CSI's services has it.
const protobuf::MethodDescriptor* FindMethod(const std::string& name) {
  const protobuf::FileDescriptor* file =
      ::csi::v1::VolumeCapability::descriptor()->file();
  for (int i = 0; i < file->service_count(); ++i) {
    if (const auto* method = file->service(i)->FindMethodByName(name)) {
      return method;
    }
  }
  return nullptr;
}

std::unique_ptr<protobuf::Message> NewMessage(
    const protobuf::Descriptor* descriptor) {
  const auto* prototype =
      protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor);
  return std::unique_ptr<protobuf::Message>(prototype->New());
}

grpc::Status CallUnary(const Flags& flags, const std::string& address,
                       const protobuf::MethodDescriptor& method,
                       const protobuf::Message& request,
                       protobuf::Message& response) {
  grpc::GenericStub stub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(flags.timeout_seconds));
  context.set_wait_for_ready(true);
  grpc::Slice slice(request.SerializeAsString());
  const grpc::ByteBuffer request_bytes(&slice, 1);
  grpc::ByteBuffer response_bytes;
  grpc::CompletionQueue queue;
  const std::string path =
      "/" + method.service()->full_name() + "/" + method.name();
  const auto call =
      stub.PrepareUnaryCall(&context, path, request_bytes, &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(&response_bytes, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) return status;
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (response_bytes.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  if (!response.ParseFromString(bytes)) {
    return {grpc::StatusCode::INTERNAL, "the answer does not parse"};
  }
  return grpc::Status::OK;
}

int Run(const Flags& flags) {
  const auto endpoint = csi::ParseEndpoint(flags.endpoint);
  if (!endpoint.ok()) {
    std::fprintf(stderr, "%s\n",
                 std::string(Message(endpoint.status())).c_str());
    return 2;
  }
  const protobuf::MethodDescriptor* method = FindMethod(flags.method);
  if (method == nullptr) {
    std::fprintf(stderr, "CSI has no call %s; one is CreateVolume\n",
                 flags.method.c_str());
    return 2;
  }
  const auto request = NewMessage(method->input_type());
  const auto response = NewMessage(method->output_type());
  const auto parsed =
      protobuf::util::JsonStringToMessage(flags.request, request.get());
  if (!parsed.ok()) {
    std::fprintf(stderr, "the request is not the JSON of a %s: %s\n",
                 method->input_type()->name().c_str(),
                 parsed.ToString().c_str());
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  const grpc::Status status =
      CallUnary(flags, endpoint->GrpcAddress(), *method, *request, *response);
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - start;
  if (flags.timing) std::fprintf(stderr, "%.3f ms\n", took.count());
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n",
                 std::string(csi::CodeName(static_cast<absl::StatusCode>(
                                 status.error_code())))
                     .c_str(),
                 status.error_message().c_str());
    return 1;
  }
  protobuf::util::JsonPrintOptions print;
  print.add_whitespace = true;
  std::string json;
  if (!protobuf::util::MessageToJsonString(*response, &json, print).ok()) {
    return 1;
  }
  std::fputs(json.c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace famfs

int main(int argc, char** argv) {
  famfs::Flags flags;
  CLI::App app{
      "Makes one CSI call and prints the answer as JSON. Exit code: 0 OK, 1 "
      "the call's error (its code and text on standard error), 2 usage."};
  app.add_option("endpoint", flags.endpoint,
                 "unix:///path/csi.sock or host:port")
      ->required();
  app.add_option("method", flags.method, "CreateVolume, NodePublishVolume, ...")
      ->required();
  app.add_option("request", flags.request, "The request as JSON; default {}");
  app.add_option("--timeout", flags.timeout_seconds, "Seconds; default 60");
  app.add_flag("--timing", flags.timing,
               "Print the call's time on standard error");
  CLI11_PARSE(app, argc, argv);
  return famfs::Run(flags);
}
