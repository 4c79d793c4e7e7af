// The one frame around every RPC:
//
//   grpc::Status CreateVolume(grpc::ServerContext*,
//                             const pb::CreateVolumeRequest* request,
//                             pb::CreateVolumeResponse* response) override {
//     return Serve(*request, response,
//                  [&] { return provisioner_.Create(*request, *response); });
//   }
//
// It checks the specification's limits (csi/rpc/limits.h), runs the body, turns
// an exception into INTERNAL, clears the response of a failed call, maps the
// status (csi/rpc/status_mapping.h), logs one line and tells the observer. At
// debug level the request is logged with its secrets redacted
// (csi/rpc/redaction.h); a request is never logged in any other way.
//
// The body runs to its end even when the client has gone: a timed-out call is
// not cancelled (facts: the caller will ask again).
#pragma once

#include <absl/functional/function_ref.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace famfs::csi {

/// Who may make a call. Lines about those that anybody may make are held back
/// when they are many (csi/rpc/log_rate.h).
enum class Caller { kOrchestrator, kAnybody };

grpc::Status Serve(Caller caller, const google::protobuf::Message& request,
                   google::protobuf::Message* response,
                   absl::FunctionRef<absl::Status()> body);
/// Of an orchestrator.
grpc::Status Serve(const google::protobuf::Message& request,
                   google::protobuf::Message* response,
                   absl::FunctionRef<absl::Status()> body);

/// What is known of a finished call.
struct CallRecord {
  std::string_view method;  // "CreateVolume": the request's type
  absl::StatusCode code;
  std::chrono::nanoseconds duration;
  std::string_view subject;  // "volume_id=...", "name=..."; may be empty
};

/// Called after every call, from the call's thread: metrics hang here. Set it
/// before the server starts; an empty function removes it.
void SetCallObserver(std::function<void(const CallRecord&)> observer);

/// InvalidArgument "FIELD is missing" when the value is empty.
[[nodiscard]] absl::Status Require(std::string_view value,
                                   std::string_view field);
/// Missing, or not an absolute path: InvalidArgument.
[[nodiscard]] absl::Status RequirePath(std::string_view value,
                                       std::string_view field);

}  // namespace famfs::csi
