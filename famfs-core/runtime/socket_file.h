// The name of a listening Unix socket in a directory that others use, too.
//
// A socket is bound and listens under a temporary dot-name before it is moved
// to its path, so nobody meets it half-made. Only moves that never replace
// anything put it there, and what of others is taken away is looked at once
// more under a name of our own before it is removed, so two servers that start
// at once never take each other's socket for a stale one. There is no lock that
// somebody could hold against us.
#pragma once

#include <absl/functional/function_ref.h>
#include <sys/types.h>
#include <sys/un.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs {

/// Bytes; the kernel's limit.
inline constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

/// InvalidArgument: the path is too long for a socket.
absl::StatusOr<sockaddr_un> SocketAddress(const std::string& path);

/// What stands at a socket's path.
enum class SocketState {
  kAbsent,
  kStale,      // a socket on which nobody answers: may be replaced
  kListening,  // somebody answers
  kNotSocket,  // a file, a directory, ...: never touched
};
/// Of any type of socket. Errors only when the path cannot be examined
/// (PermissionDenied, ...).
absl::StatusOr<SocketState> ExamineSocket(const std::string& path);

/// Thread-safe.
class SocketFile {
 public:
  /// Whether the path may be taken, in the words of the program whose it is: OK
  /// where nothing stands, or a stale socket. It removes nothing.
  using Check = absl::FunctionRef<absl::Status()>;

  /// A socket that listens (non-blocking) at `path`, with this mode. `type`:
  /// SOCK_STREAM or SOCK_SEQPACKET. `check` is asked before anything is made,
  /// and again whenever somebody else was faster. Errors: those of `check`;
  /// InvalidArgument for a path that is too long; Unavailable when the socket
  /// cannot be made.
  static absl::StatusOr<std::unique_ptr<SocketFile>> Listen(
      const std::string& path, int type, mode_t mode, Check check);
  /// Remove()
  ~SocketFile() { Remove(); }
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Whether the path still names our socket.
  [[nodiscard]] bool IsOurs() const;
  /// Moves the name away and back, so that who watches the directory sees it
  /// appear once more; connections go on. FailedPrecondition: the path is not
  /// ours any more.
  [[nodiscard]] absl::Status Reappear();
  /// Deletes the name, as who watches the directory sees, if it is ours: who
  /// connects now is refused.
  void Remove();

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  SocketFile(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}
  static absl::StatusOr<Identity> Identify(const std::string& path);
  /// Nothing is left at `bound` when it fails.
  absl::Status Bind(mode_t mode, const std::string& bound);
  absl::Status ListenAt(mode_t mode, const std::string& bound);
  /// Whether the path names our socket.
  [[nodiscard]] bool Names() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(moving_);

  const std::string path_;
  const UniqueFd fd_;
  Identity identity_;
  mutable Mutex moving_;  // held while the name is away
};

}  // namespace famfs
