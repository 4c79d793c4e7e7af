#include "csi/server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <utility>

#include "base/unique_fd.h"
#include "base/uuid.h"
#include "csi/not_offered.h"

namespace famfs::csi {
namespace {

constexpr std::size_t kMaxSocketPath = 107;  // bytes

struct SocketIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const SocketIdentity&) const = default;
};

absl::StatusOr<SocketIdentity> Identify(const std::string& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return ErrnoError(errno, path);
  return SocketIdentity{status.st_dev, status.st_ino};
}

std::string DirectoryOf(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

// Held while a socket's path is examined and changed, so that two servers that
// start at once do not take each other's socket for a stale one. A lock on the
// directory leaves no file behind.
UniqueFd LockDirectoryOf(const std::string& path) {
  UniqueFd fd(
      open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (fd.valid() && flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return fd;
}

// As long as "csi.sock", so that what fits the kernel's limit still does.
std::string TemporaryPath(const std::string& path) {
  return DirectoryOf(path) + "." + Uuid::Random().ToString().substr(0, 7);
}

// The umask belongs to the process: one server at a time changes it.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask) : lock_(Mutex()), old_(umask(mask)) {}
  ~ScopedUmask() { umask(old_); }
  ScopedUmask(const ScopedUmask&) = delete;
  ScopedUmask& operator=(const ScopedUmask&) = delete;

 private:
  static std::mutex& Mutex() {
    static std::mutex mutex;
    return mutex;
  }
  std::lock_guard<std::mutex> lock_;
  mode_t old_;
};

absl::StatusOr<std::unique_ptr<grpc::Server>> Build(
    const std::string& address, const std::vector<grpc::Service*>& services,
    const ServerOptions& options, int& port) {
  grpc::ServerBuilder builder;
  // Without this a second server on the same port would start without a word
  // and take half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  builder.experimental().SetInterceptorCreators(MakeNotOfferedInterceptors());
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return Unavailable("cannot bind {}", address);
  return server;
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(Endpoint endpoint, ServerOptions options)
      : endpoint_(std::move(endpoint)), options_(options) {}

  absl::Status Start(const std::vector<grpc::Service*>& services) {
    return endpoint_.kind == Endpoint::Kind::kUnix ? StartUnix(services)
                                                   : StartTcp(services);
  }

  void Stop() {
    std::call_once(stopped_, [this] {
      if (server_ == nullptr) return;
      RemoveSocket();  // first: who comes now finds nothing, not a refusal
      server_->Shutdown(std::chrono::system_clock::now() +
                        options_.drain_limit);
      server_->Wait();
      server_.reset();
    });
  }

  const Endpoint& endpoint() const { return endpoint_; }

  absl::Status Reappear() {
    const UniqueFd lock = LockDirectoryOf(endpoint_.path);
    const std::lock_guard moving(moving_);
    if (endpoint_.kind != Endpoint::Kind::kUnix || !IsOurs()) {
      return FailedPrecondition("{} is not this server's", endpoint_.path);
    }
    const std::string aside = TemporaryPath(endpoint_.path);
    if (rename(endpoint_.path.c_str(), aside.c_str()) != 0 ||
        rename(aside.c_str(), endpoint_.path.c_str()) != 0) {
      return ErrnoError(errno, endpoint_.path);
    }
    return absl::OkStatus();
  }

  bool OwnsSocket() const {
    const std::lock_guard moving(moving_);
    return IsOurs();
  }

 private:
  bool IsOurs() const {
    if (endpoint_.kind != Endpoint::Kind::kUnix) return true;
    const auto identity = Identify(endpoint_.path);
    return identity.ok() && *identity == socket_;
  }

  absl::Status StartTcp(const std::vector<grpc::Service*>& services) {
    int port = 0;
    absl::StatusOr<std::unique_ptr<grpc::Server>> server =
        Build(endpoint_.GrpcAddress(), services, options_, port);
    if (!server.ok() || port == 0) {
      return Unavailable(
          "cannot listen on {}: the address is in use, or not this machine's; "
          "stop the other process, or choose another endpoint",
          endpoint_.ToString());
    }
    server_ = *std::move(server);
    endpoint_.port = static_cast<std::uint16_t>(port);
    return absl::OkStatus();
  }

  absl::Status StartUnix(const std::vector<grpc::Service*>& services) {
    const std::string& path = endpoint_.path;
    FAMFS_RETURN_IF_ERROR(CheckSocketPath(path));
    const UniqueFd lock = LockDirectoryOf(path);
    FAMFS_RETURN_IF_ERROR(CheckSocketPath(path));  // again: nobody else now
    const std::string bound = TemporaryPath(path);
    if (bound.size() > kMaxSocketPath) {
      return InvalidArgument(
          "the directory of {} is too long for a socket; choose a shorter one",
          path);
    }
    int port = 0;
    {
      const ScopedUmask umask_guard(0177);
      auto server = Build("unix:" + bound, services, options_, port);
      if (!server.ok()) return CannotBind(path);
      server_ = *std::move(server);
    }
    absl::Status placed = PlaceSocket(bound, path);
    if (!placed.ok()) {
      server_->Shutdown(std::chrono::system_clock::now());
      server_.reset();
      unlink(bound.c_str());
    }
    return placed;
  }

  static absl::Status CannotBind(const std::string& path) {
    const std::string directory = DirectoryOf(path);
    const bool writable = access(directory.c_str(), W_OK) == 0;
    return Unavailable("cannot create a socket in {}: {}", directory,
                       writable ? "the bind failed; see gRPC's message above"
                                : "the directory is not writable");
  }

  absl::Status PlaceSocket(const std::string& bound, const std::string& path) {
    FAMFS_ASSIGN_OR_RETURN(socket_, Identify(bound));
    if (chmod(bound.c_str(), options_.socket_mode) != 0) {
      return ErrnoError(errno, bound);
    }
    // gRPC will unlink the name it bound when it ends, and finds nothing there.
    if (rename(bound.c_str(), path.c_str()) != 0) {
      return ErrnoError(errno, path);
    }
    return absl::OkStatus();
  }

  void RemoveSocket() {
    if (endpoint_.kind != Endpoint::Kind::kUnix) return;
    const UniqueFd lock = LockDirectoryOf(endpoint_.path);
    if (OwnsSocket()) unlink(endpoint_.path.c_str());
  }

  Endpoint endpoint_;
  const ServerOptions options_;
  SocketIdentity socket_;
  std::unique_ptr<grpc::Server> server_;
  std::once_flag stopped_;
  mutable std::mutex moving_;  // held while the name is away
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const Endpoint& endpoint, const std::vector<grpc::Service*>& services,
    const ServerOptions& options) {
  auto impl = std::make_unique<Impl>(endpoint, options);
  FAMFS_RETURN_IF_ERROR(impl->Start(services));
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() { Stop(); }

const Endpoint& GrpcServer::endpoint() const { return impl_->endpoint(); }
bool GrpcServer::OwnsSocket() const { return impl_->OwnsSocket(); }
absl::Status GrpcServer::Reappear() { return impl_->Reappear(); }
void GrpcServer::Stop() { impl_->Stop(); }

}  // namespace famfs::csi
