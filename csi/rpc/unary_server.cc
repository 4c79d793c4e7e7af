#include "csi/rpc/unary_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"

namespace famfs::csi {
namespace {

// gRPC keeps a connection to its limit of calls at a time; a thread of ours
// notes their ends later. What ignores the limit is refused from here on: so
// many times the limit.
constexpr int kCallsNoted = 16;

int Milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(time.count());
}

}  // namespace

void UnaryMethods::Refuse(const std::string& path, grpc::Status status) {
  bodies_[path] = [status = std::move(status)](grpc::ByteBuffer& /*in*/,
                                               grpc::ByteBuffer& /*out*/) {
    return status;
  };
}

grpc::Status UnaryMethods::Call(const std::string& path, grpc::ByteBuffer& in,
                                grpc::ByteBuffer& out) const {
  const auto body = bodies_.find(path);
  if (body == bodies_.end()) {
    return {grpc::StatusCode::UNIMPLEMENTED, "this endpoint has no such call"};
  }
  try {
    return body->second(in, out);
  } catch (const std::exception& e) {
    return {grpc::StatusCode::INTERNAL,
            fmt::format("an unexpected failure of the driver: {}", e.what())};
  }
}

class UnaryServer::Impl {
 public:
  Impl(UnaryMethods methods, const UnaryLimits& limits)
      : methods_(std::move(methods)), limits_(limits) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start(const Endpoint& endpoint);
  Listener& listener() { return acceptor_->listener(); }

 private:
  class Call;

  void Build();
  void Run();
  /// Waits for one more call, unless the end has come.
  void Expect();
  /// Counts a call that has come; false: its connection has enough.
  bool Enter(const std::string& peer);
  /// A Call has ended; `peer` is empty if it never came.
  void Leave(const std::string& peer);

  const UnaryMethods methods_;
  const UnaryLimits limits_;
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  /// Calls, with those that are waited for.
  std::size_t there_ ABSL_GUARDED_BY(mutex_) = 0;
  /// That have come, by peer.
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
};

// Deletes itself when it has ended. gRPC hands it from one thread to another,
// one at a time.
class UnaryServer::Impl::Call {
 public:
  explicit Call(Impl& server) : server_(server), stream_(&context_) {}

  void Expect() {
    server_.service_.RequestCall(&context_, &stream_, server_.queue_.get(),
                                 server_.queue_.get(), this);
  }

  // The step that was begun has ended, well or not.
  void Proceed(bool ok) {
    switch (step_) {
      case Step::kExpected:
        ok ? Begin() : End();  // not ok: the server ends
        break;
      case Step::kReading:
        ok ? Answer()
           : Finish({grpc::StatusCode::INVALID_ARGUMENT,
                     "the call ended without a request"});
        break;
      case Step::kFinishing:
        End();
        break;
    }
  }

 private:
  enum class Step { kExpected, kReading, kFinishing };

  void Begin() {
    server_.Expect();
    peer_ = context_.peer();
    if (!server_.Enter(peer_)) {
      Finish({grpc::StatusCode::UNAVAILABLE,
              "too many calls on this connection; ask again"});
      return;
    }
    step_ = Step::kReading;
    stream_.Read(&request_, this);
  }

  void Answer() {
    grpc::ByteBuffer response;
    const grpc::Status status =
        server_.methods_.Call(context_.method(), request_, response);
    request_.Clear();
    if (!status.ok()) return Finish(status);
    step_ = Step::kFinishing;
    // From here on another thread may delete this.
    stream_.WriteAndFinish(response, grpc::WriteOptions(), status, this);
  }

  void Finish(const grpc::Status& status) {
    step_ = Step::kFinishing;
    stream_.Finish(status, this);
  }

  void End() {
    Impl& server = server_;
    const std::string peer = peer_;
    delete this;
    server.Leave(peer);
  }

  Impl& server_;
  Step step_ = Step::kExpected;
  std::string peer_;  // names the connection
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer request_;
};

absl::Status UnaryServer::Impl::Start(const Endpoint& endpoint) {
  FAMFS_ASSIGN_OR_RETURN(auto listener, Listener::Open(endpoint));
  Build();
  if (server_ == nullptr) {
    return Unavailable("gRPC starts no server; see its message above");
  }
  for (int i = 0; i < limits_.threads; ++i) {
    auto thread = StartThread([this] { Run(); });
    if (!thread.ok()) return Annotate(thread.status(), endpoint.ToString());
    threads_.push_back(*std::move(thread));
    Expect();
  }
  FAMFS_ASSIGN_OR_RETURN(
      acceptor_, Acceptor::Start(std::move(listener), limits_.accept,
                                 [this](UniqueFd connection) {
                                   grpc::AddInsecureChannelFromFd(
                                       server_.get(), connection.release());
                                 }));
  return absl::OkStatus();
}

void UnaryServer::Impl::Build() {
  grpc::ServerBuilder builder;
  builder.RegisterAsyncGenericService(&service_);
  queue_ = builder.AddCompletionQueue();
  builder.SetResourceQuota(
      grpc::ResourceQuota("strangers").Resize(limits_.memory));
  builder.SetMaxReceiveMessageSize(limits_.max_request_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits_.calls);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             Milliseconds(limits_.idle));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             Milliseconds(limits_.age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(limits_.grace));
  server_ = builder.BuildAndStart();
}

UnaryServer::Impl::~Impl() {
  if (acceptor_ != nullptr) acceptor_->Stop();
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(200));
  }
  {
    // What is cancelled still begins its last step, on a queue that is open.
    const MutexLock lock(mutex_);
    while (there_ > 0) changed_.Wait(mutex_);
  }
  if (queue_ != nullptr) queue_->Shutdown();
  if (queue_ != nullptr && threads_.empty()) Run();  // a queue ends drained
  for (std::thread& thread : threads_) thread.join();
}

void UnaryServer::Impl::Run() {
  void* call = nullptr;
  bool ok = false;
  while (queue_->Next(&call, &ok)) static_cast<Call*>(call)->Proceed(ok);
}

void UnaryServer::Impl::Expect() {
  const MutexLock lock(mutex_);
  if (stopping_) return;
  ++there_;
  (new Call(*this))->Expect();
}

bool UnaryServer::Impl::Enter(const std::string& peer) {
  const MutexLock lock(mutex_);
  return ++calls_[peer] <= kCallsNoted * limits_.calls;
}

void UnaryServer::Impl::Leave(const std::string& peer) {
  const MutexLock lock(mutex_);
  --there_;
  const auto calls = calls_.find(peer);
  if (calls != calls_.end() && --calls->second == 0) calls_.erase(calls);
  changed_.NotifyAll();
}

absl::StatusOr<std::unique_ptr<UnaryServer>> UnaryServer::Start(
    const Endpoint& endpoint, UnaryMethods methods, const UnaryLimits& limits) {
  auto impl = std::make_unique<Impl>(std::move(methods), limits);
  FAMFS_RETURN_IF_ERROR(impl->Start(endpoint));
  return std::unique_ptr<UnaryServer>(new UnaryServer(std::move(impl)));
}

UnaryServer::UnaryServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnaryServer::~UnaryServer() = default;

const Endpoint& UnaryServer::endpoint() const {
  return impl_->listener().endpoint();
}

}  // namespace famfs::csi
