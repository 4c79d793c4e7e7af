#include "node/registration/registration.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "base/thread.h"
#include "csi/rpc/probe.h"
#include "node/registration.grpc.pb.h"
#include "runtime/socket_file.h"

namespace famfs::node {
namespace {

namespace proto = ::pluginregistration;
using std::chrono::milliseconds;

constexpr milliseconds kProbeLimit{1'000};
constexpr milliseconds kPoolInterval{100};
constexpr milliseconds kLookInterval{1'000};

csi::Endpoint UnixEndpoint(const std::string& path) {
  return {.kind = csi::Endpoint::Kind::kUnix, .path = path, .host = ""};
}

}  // namespace

// Not in csi/rpc/call.h's frame, whose limits are those of CSI's strings:
// kubelet's errors are longer.
class Registration::Service final : public proto::Registration::Service {
 public:
  explicit Service(Registration& registration) : registration_(registration) {}

  grpc::Status GetInfo(grpc::ServerContext* /*context*/,
                       const proto::InfoRequest* /*request*/,
                       proto::PluginInfo* response) override {
    response->set_type("CSIPlugin");
    response->set_name(registration_.options_.driver_name);
    response->set_endpoint(registration_.options_.csi_socket);
    response->add_supported_versions("1.0.0");
    spdlog::debug("kubelet asks who registers");
    return grpc::Status::OK;
  }

  grpc::Status NotifyRegistrationStatus(
      grpc::ServerContext* /*context*/,
      const proto::RegistrationStatus* request,
      proto::RegistrationStatusResponse* /*response*/) override {
    registration_.OnStatus(request->plugin_registered(), request->error());
    return grpc::Status::OK;
  }

 private:
  Registration& registration_;
};

std::string RegistrationSocket(const std::string& kubelet_path,
                               const std::string& driver_name) {
  return fmt::format("{}/plugins_registry/{}-reg.sock", kubelet_path,
                     driver_name);
}

Registration::Registration(RegistrationOptions options)
    : options_(std::move(options)),
      service_(std::make_unique<Service>(*this)) {}

absl::StatusOr<std::unique_ptr<Registration>> Registration::Start(
    RegistrationOptions options) {
  std::unique_ptr<Registration> registration(
      new Registration(std::move(options)));
  auto thread = StartThread([self = registration.get()] { self->Run(); });
  if (!thread.ok()) {
    return Annotate(thread.status(), "the registration with kubelet");
  }
  registration->thread_ = *std::move(thread);
  return registration;
}

Registration::~Registration() { Stop(); }

void Registration::Stop() {
  std::unique_ptr<csi::GrpcServer> server;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  {
    const MutexLock lock(mutex_);
    server = std::move(server_);
  }
  if (server != nullptr) server->Stop();  // its calls take our mutex
}

bool Registration::Pause(milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!stopping_ && changed_.WaitUntil(mutex_, end)) {
  }
  return stopping_;
}

void Registration::Run() {
  if (!WaitForCsiSocket() || !WaitForPools()) return;
  do {
    Look();
  } while (!Pause(kLookInterval));
}

bool Registration::WaitForCsiSocket() {
  const csi::Prober prober(UnixEndpoint(options_.csi_socket));
  while (!prober.Probe(kProbeLimit).ok()) {
    if (Pause(kPoolInterval)) return false;
  }
  return true;
}

bool Registration::WaitForPools() {
  const auto end = std::chrono::steady_clock::now() + options_.pool_patience;
  while (options_.closed_pools() > 0) {
    if (std::chrono::steady_clock::now() >= end) {
      spdlog::warn(
          "{} of {} pools are open on this node after {:.0f} s; registering "
          "with their topology keys, and once more when there are more",
          options_.open_pools(), options_.pools,
          std::chrono::duration<double>(options_.pool_patience).count());
      return true;
    }
    if (Pause(kPoolInterval)) return false;
  }
  return true;
}

void Registration::Look() {
  if (own_server() == nullptr) {
    Appear();
    return;
  }
  if (own_server()->OwnsSocket()) {
    missed_ = false;
    const std::size_t open = options_.open_pools();
    if (open <= announced_pools_) return;
    spdlog::info("{} pools are open on this node, {} were; registering again",
                 open, announced_pools_);
    const absl::Status moved = own_server()->Reappear();
    if (!moved.ok()) return Fail(moved);
    Appeared(open, nullptr);
    return;
  }
  // Whoever has removed it may be about to make its own: look again first.
  if (!std::exchange(missed_, true)) return;
  const auto state = ExamineSocket(options_.socket);
  if (state.ok() && *state == SocketState::kListening) {
    Fail(FailedPrecondition(
        "another process has replaced the registration socket {}; it is left "
        "to it: stop that one (a second plugin, or a node-driver-registrar "
        "beside --registration self)",
        options_.socket));
    return;
  }
  spdlog::warn("the registration socket {} was removed; making it again",
               options_.socket);
  std::unique_ptr<csi::GrpcServer> old;
  {
    const MutexLock lock(mutex_);
    old = std::move(server_);
  }
  old->Stop();
  Appear();
}

void Registration::Appear() {
  std::error_code error;
  std::filesystem::create_directory(
      std::filesystem::path(options_.socket).parent_path(), error);
  const std::size_t open = options_.open_pools();
  auto server =
      csi::GrpcServer::Start(UnixEndpoint(options_.socket), {service_.get()});
  if (!server.ok()) {
    Fail(Annotate(server.status(), "registration with kubelet"));
    return;
  }
  spdlog::info("kubelet can register {} by {}, with {} of {} pools",
               options_.driver_name, options_.socket, open, options_.pools);
  Appeared(open, *std::move(server));
}

void Registration::Appeared(std::size_t pools,
                            std::unique_ptr<csi::GrpcServer> server) {
  missed_ = false;
  announced_pools_ = pools;
  const MutexLock lock(mutex_);
  if (server != nullptr) server_ = std::move(server);
  failure_ = absl::OkStatus();
  logged_failure_.clear();
  ++report_.announcements;
}

void Registration::Fail(const absl::Status& status) {
  const MutexLock lock(mutex_);
  failure_ = status;
  if (logged_failure_ == Message(status)) return;
  logged_failure_ = Message(status);
  ++report_.failures;
  spdlog::error("{}", logged_failure_);
}

void Registration::OnStatus(bool registered, const std::string& error) {
  const MutexLock lock(mutex_);
  report_.registered = registered;
  if (registered) {
    logged_refusal_.clear();
    spdlog::info("kubelet has registered {}", options_.driver_name);
    return;
  }
  ++report_.failures;
  const std::string text = PrintableLine(error);
  if (std::exchange(logged_refusal_, text) == text) return;
  spdlog::error("kubelet refuses to register {}: {}; it tries again by itself",
                options_.driver_name, text);
}

absl::Status Registration::Health() const {
  const MutexLock lock(mutex_);
  if (!failure_.ok()) return Unavailable("{}", Message(failure_));
  if (server_ == nullptr || server_->OwnsSocket()) return absl::OkStatus();
  return Unavailable("the registration socket {} is not ours any more",
                     options_.socket);
}

RegistrationReport Registration::Report() const {
  const MutexLock lock(mutex_);
  return report_;
}

}  // namespace famfs::node
