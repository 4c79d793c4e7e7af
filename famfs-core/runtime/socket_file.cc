#include "runtime/socket_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/uuid.h"

namespace famfs {
namespace {

// Somebody else's socket that appears again and again is no reason to try for
// ever.
constexpr int kAttempts = 100;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

// As long as "csi.sock", so that what fits the kernel's limit still does.
std::string TemporaryPath(const std::string& path) {
  return DirectoryOf(path) + "." + Uuid::Random().ToString().substr(0, 7);
}

// `aside` was taken from `path` and is somebody's. If a third one has come in
// between, the name is his, and the other finds that out (IsOurs).
void PutBack(const std::string& aside, const std::string& path) {
  const absl::Status back = RenameNew(aside, path);
  if (back.ok()) return;
  // Where nothing says that there is one, to lose the name would be worse than
  // to replace what may have come.
  if (!absl::IsAlreadyExists(back) &&
      ::rename(aside.c_str(), path.c_str()) == 0) {
    return;
  }
  ::unlink(aside.c_str());
}

// What is at `path` goes if nobody answers on it.
absl::Status RemoveStale(const std::string& path) {
  const std::string aside = TemporaryPath(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoError(errno, path);
  }
  const auto state = ExamineSocket(aside);
  if (state.ok() && *state == SocketState::kStale) {
    ::unlink(aside.c_str());
  } else {
    PutBack(aside, path);
  }
  return absl::OkStatus();
}

absl::Status Place(const std::string& bound, const std::string& path,
                   SocketFile::Check check) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    FAMFS_RETURN_IF_ERROR(check());
    absl::Status placed = RenameNew(bound, path);
    if (!absl::IsAlreadyExists(placed)) return placed;
    FAMFS_RETURN_IF_ERROR(RemoveStale(path));
  }
  return Unavailable("other processes leave stale sockets at {} all the time",
                     path);
}

absl::Status CannotBind(const std::string& path, int error_number) {
  const std::string directory = DirectoryOf(path);
  const bool tells_itself =
      error_number == ENOENT || ::access(directory.c_str(), W_OK) == 0;
  return Unavailable("cannot create a socket in {}: {}", directory,
                     tells_itself ? std::strerror(error_number)
                                  : "the directory is not writable");
}

absl::StatusOr<SocketState> Knock(const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const sockaddr_un address, SocketAddress(path));
  const UniqueFd fd(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == 0) {
    return SocketState::kListening;
  }
  switch (errno) {
    case ECONNREFUSED:
      return SocketState::kStale;
    case ENOENT:
      return SocketState::kAbsent;
    case EAGAIN:       // its queue is full: somebody listens, but is busy
    case EPROTOTYPE:   // somebody listens with another kind of socket
    case EINPROGRESS:  // somebody is about to answer
      return SocketState::kListening;
    default:
      return ErrnoError(errno, path);
  }
}

}  // namespace

absl::StatusOr<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() > kMaxSocketPath) {
    return InvalidArgument(
        "{}: too long for a socket's path; choose one of at most {} bytes",
        path, kMaxSocketPath);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<SocketState> ExamineSocket(const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return SocketState::kAbsent;
    return ErrnoError(errno, path);
  }
  if (!S_ISSOCK(status.st_mode)) return SocketState::kNotSocket;
  return Knock(path);
}

absl::StatusOr<std::unique_ptr<SocketFile>> SocketFile::Listen(
    const std::string& path, int type, mode_t mode, Check check) {
  FAMFS_RETURN_IF_ERROR(SocketAddress(path).status());
  FAMFS_RETURN_IF_ERROR(check());
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  std::unique_ptr<SocketFile> file(new SocketFile(path, std::move(fd)));
  const std::string bound = TemporaryPath(path);
  FAMFS_RETURN_IF_ERROR(file->Bind(mode, bound));
  const absl::Status placed = Place(bound, path, check);
  if (!placed.ok()) {
    ::unlink(bound.c_str());
    return placed;
  }
  return file;
}

absl::Status SocketFile::Bind(mode_t mode, const std::string& bound) {
  const auto address = SocketAddress(bound);
  if (!address.ok()) {
    return InvalidArgument(
        "the directory of {} is too long for a socket; choose a shorter one",
        path_);
  }
  // The name gets the mode of the socket, less the umask: it is never there
  // with another one.
  if (::fchmod(fd_.get(), mode) != 0 ||
      ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&*address),
             sizeof(*address)) != 0) {
    return CannotBind(path_, errno);
  }
  absl::Status listening = ListenAt(mode, bound);
  if (!listening.ok()) ::unlink(bound.c_str());
  return listening;
}

absl::Status SocketFile::ListenAt(mode_t mode, const std::string& bound) {
  if (::chmod(bound.c_str(), mode) != 0 ||
      ::listen(fd_.get(), SOMAXCONN) != 0) {
    return CannotBind(path_, errno);
  }
  FAMFS_ASSIGN_OR_RETURN(identity_, Identify(bound));
  return absl::OkStatus();
}

absl::StatusOr<SocketFile::Identity> SocketFile::Identify(
    const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return ErrnoError(errno, path);
  return Identity{status.st_dev, status.st_ino};
}

bool SocketFile::Names() const {
  const auto identity = Identify(path_);
  return identity.ok() && *identity == identity_;
}

bool SocketFile::IsOurs() const {
  const MutexLock lock(moving_);
  return Names();
}

absl::Status SocketFile::Reappear() {
  const MutexLock lock(moving_);
  const std::string aside = TemporaryPath(path_);
  const auto not_ours = [this] {
    return FailedPrecondition("{} is not this server's", path_);
  };
  if (!Names()) return not_ours();
  if (::rename(path_.c_str(), aside.c_str()) != 0) {
    return ErrnoError(errno, path_);
  }
  const auto taken = Identify(aside);
  PutBack(aside, path_);
  return taken.ok() && *taken == identity_ && Names() ? absl::OkStatus()
                                                      : not_ours();
}

void SocketFile::Remove() {
  const MutexLock lock(moving_);
  // Not moved aside first, to be looked at once more: kubelet forgets a plugin
  // whose socket is deleted, and does not see one that is moved. It answers
  // still, so nobody else takes it for stale.
  if (Names()) ::unlink(path_.c_str());
}

}  // namespace famfs
