#include "csi/rpc/call.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <memory>

#include "base/text.h"
#include "csi/rpc/limits.h"
#include "csi/rpc/log_rate.h"
#include "csi/rpc/redaction.h"
#include "csi/rpc/status_mapping.h"

namespace famfs::csi {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Never destroyed: a call may end while statics are torn down.
std::function<void(const CallRecord&)>& Observer() {
  static auto& observer = *new std::function<void(const CallRecord&)>;
  return observer;
}

// The method's name: each request has a type of its own, named after it.
std::string_view MethodName(const Message& request) {
  std::string_view name = request.GetDescriptor()->name();
  constexpr std::string_view kSuffix = "Request";
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  return name;
}

// What the call is about, for the log: the first of these fields that is set.
std::string Subject(const Message& request) {
  for (const char* name : {"volume_id", "name", "snapshot_id"}) {
    const FieldDescriptor* field =
        request.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->is_repeated() ||
        field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      continue;
    }
    const std::string value =
        request.GetReflection()->GetString(request, field);
    if (value.empty()) continue;
    return fmt::format("{}={}", name, Printable(value, kMaxString));
  }
  return {};
}

absl::Status Run(const Message& request,
                 absl::FunctionRef<absl::Status()> body) {
  FAMFS_RETURN_IF_ERROR(CheckLimits(request));
  try {
    return body();
  } catch (const std::exception& e) {
    return Internal("an unexpected failure of the driver: {}", e.what());
  } catch (...) {
    return Internal("an unexpected failure of the driver");
  }
}

LogRate& RateOfAnybody() {
  static LogRate rate(10, std::chrono::seconds(1));
  return rate;
}

void LogCall(const CallRecord& record, const absl::Status& status,
             Caller caller) {
  std::uint64_t held_back = 0;
  if (caller == Caller::kAnybody) {
    const auto passed = RateOfAnybody().Pass();
    if (!passed.has_value()) return;
    held_back = *passed;
  }
  const double ms =
      std::chrono::duration<double, std::milli>(record.duration).count();
  // Probes come every few seconds for ever; a good one is no news.
  const auto level = !status.ok()               ? spdlog::level::warn
                     : record.method == "Probe" ? spdlog::level::debug
                                                : spdlog::level::info;
  spdlog::log(level, "rpc {} {} {:.3f} ms{}{}{}{}{}", record.method,
              CodeName(record.code), ms, record.subject.empty() ? "" : " ",
              record.subject, status.ok() ? "" : ": ", famfs::Message(status),
              LogRate::Told(held_back));
}

}  // namespace

grpc::Status Serve(const Message& request, Message* response,
                   absl::FunctionRef<absl::Status()> body) {
  return Serve(Caller::kOrchestrator, request, response, body);
}

grpc::Status Serve(Caller caller, const Message& request, Message* response,
                   absl::FunctionRef<absl::Status()> body) {
  const auto start = std::chrono::steady_clock::now();
  const std::string_view method = MethodName(request);
  const std::string subject = Subject(request);
  if (spdlog::should_log(spdlog::level::debug)) {
    spdlog::debug("rpc {} request {{{}}}", method, RedactedText(request));
  }
  const absl::Status status = Run(request, body);
  if (!status.ok() && response != nullptr) response->Clear();
  const CallRecord record{method, status.code(),
                          std::chrono::steady_clock::now() - start, subject};
  LogCall(record, status, caller);
  if (Observer()) Observer()(record);
  return ToGrpcStatus(status);
}

void SetCallObserver(std::function<void(const CallRecord&)> observer) {
  Observer() = std::move(observer);
}

absl::Status Require(std::string_view value, std::string_view field) {
  if (!value.empty()) return absl::OkStatus();
  return InvalidArgument("{} is missing", field);
}

absl::Status RequirePath(std::string_view value, std::string_view field) {
  FAMFS_RETURN_IF_ERROR(Require(value, field));
  if (value.front() == '/') return absl::OkStatus();
  return InvalidArgument("{} is no absolute path: \"{}\"", field,
                         Printable(value, kMaxString));
}

}  // namespace famfs::csi
