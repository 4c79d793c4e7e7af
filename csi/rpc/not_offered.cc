#include "csi/rpc/not_offered.h"

#include <fmt/format.h>
#include <grpcpp/support/server_interceptor.h>
#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "csi/rpc/status_mapping.h"

namespace famfs::csi {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

class NotOffered final : public grpc::experimental::Interceptor {
 public:
  explicit NotOffered(const char* method) : method_(method) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::Status status = methods->GetSendStatus();
      if (!status.ok() && status.error_message().empty()) {
        methods->ModifySendStatus({status.error_code(), Explain(status)});
      }
    }
    methods->Proceed();
  }

 private:
  std::string Explain(const grpc::Status& status) const {
    // "/csi.v1.Controller/CreateSnapshot"
    const std::string_view name = method_.substr(method_.rfind('/') + 1);
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    spdlog::warn("rpc {} {}", name, CodeName(code));
    if (code == absl::StatusCode::kUnimplemented) {
      return fmt::format(
          "this driver does not offer {}; ask it for its capabilities", name);
    }
    return fmt::format("{} failed with {}", name, CodeName(code));
  }

  std::string_view method_;  // gRPC's, which outlives the call
};

class Factory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return new NotOffered(info->method());
  }
};

}  // namespace

std::vector<
    std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
MakeNotOfferedInterceptors() {
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      factories;
  factories.push_back(std::make_unique<Factory>());
  return factories;
}

}  // namespace famfs::csi
