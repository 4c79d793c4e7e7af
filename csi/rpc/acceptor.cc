#include "csi/rpc/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "base/descriptors.h"
#include "base/thread.h"
#include "csi/rpc/log_rate.h"
#include "csi/rpc/peer_address.h"

namespace famfs::csi {
namespace {

// Until descriptors or memory may be there again.
constexpr int kPauseMs = 100;
// After so many, the end and the other sockets have their turn.
constexpr int kBatch = 64;

// accept(2) failed, and the next one may not: this connection was lost on its
// way (accept(2) has the list), or a signal came.
bool IsOfOneConnection(int error_number) {
  switch (error_number) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

LogRate& Rate() {
  static LogRate rate(5, std::chrono::seconds(10));
  return rate;
}

}  // namespace

// Who is connected. Whoever took a connection closes it without a word, so it
// is recognised by its number and its socket's inode: both are the same for as
// long as it is open.
class Acceptor::OpenConnections {
 public:
  /// Whether one more from `address` fits. Those that are closed are forgotten
  /// when it seems not to: to look at all for each newcomer would be slower
  /// than a flood of them.
  bool HasRoom(const std::string& address, const AcceptLimits& limits) {
    if (Fits(address, limits)) return true;
    std::erase_if(entries_, [](const Entry& entry) { return !IsOpen(entry); });
    return Fits(address, limits);
  }

  void Add(int fd, std::string address) {
    struct stat status = {};
    if (::fstat(fd, &status) != 0) return;
    entries_.push_back({fd, status.st_dev, status.st_ino, std::move(address)});
  }

 private:
  struct Entry {
    int fd;
    dev_t device;
    ino_t inode;
    std::string address;
  };
  [[nodiscard]] bool Fits(const std::string& address,
                          const AcceptLimits& limits) const {
    if (entries_.size() >= limits.connections) return false;
    if (address.empty()) return true;
    const auto same =
        std::count_if(entries_.begin(), entries_.end(),
                      [&](const Entry& e) { return e.address == address; });
    return static_cast<std::size_t>(same) < limits.per_address;
  }
  static bool IsOpen(const Entry& entry) {
    struct stat status = {};
    return ::fstat(entry.fd, &status) == 0 && status.st_dev == entry.device &&
           status.st_ino == entry.inode;
  }
  std::vector<Entry> entries_;
};

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(
    std::unique_ptr<Listener> listener, const AcceptLimits& limits,
    Taker taker) {
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(std::move(listener), limits, std::move(taker)));
  acceptor->stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!acceptor->stop_.valid()) return ErrnoError(errno, "eventfd");
  auto thread = StartThread([self = acceptor.get()] { self->Run(); });
  if (!thread.ok()) {
    return Annotate(thread.status(),
                    acceptor->listener().endpoint().ToString());
  }
  acceptor->thread_ = *std::move(thread);
  return acceptor;
}

Acceptor::Acceptor(std::unique_ptr<Listener> listener,
                   const AcceptLimits& limits, Taker taker)
    : listener_(std::move(listener)),
      limits_(limits),
      taker_(std::move(taker)),
      open_(std::make_unique<OpenConnections>()) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Stop() {
  listener_->RemoveSocket();
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Acceptor::Run() {
  std::vector<pollfd> polled = {
      {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  for (const int fd : listener_->fds()) {
    polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  }
  bool paused = false;
  for (;;) {
    // While nothing can be accepted, only the end is waited for.
    const nfds_t count = paused ? 1 : polled.size();
    if (::poll(polled.data(), count, paused ? kPauseMs : -1) < 0) {
      paused = errno != EINTR;  // no memory: not at once again
      continue;
    }
    if (polled.front().revents != 0) return;
    paused = false;
    for (auto at = polled.begin() + 1; at != polled.end(); ++at) {
      if (!AcceptSome(at->fd)) paused = true;
    }
  }
}

bool Acceptor::AcceptSome(int listening) {
  for (int i = 0; i < kBatch; ++i) {
    UniqueFd fd(
        ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int error = errno;
    if (fd.valid()) {
      Take(std::move(fd));
    } else if (error == EAGAIN || error == EWOULDBLOCK) {
      return true;
    } else if (!IsOfOneConnection(error)) {
      if (const auto held_back = Rate().Pass()) {
        spdlog::warn("{}: connections wait: {}{}",
                     listener_->endpoint().ToString(), std::strerror(error),
                     LogRate::Told(*held_back));
      }
      return false;
    }
  }
  return true;
}

void Acceptor::Take(UniqueFd connection) {
  std::string address = PeerAddress(connection.get());
  const bool enough_left =
      !limits_.from_strangers || connection.get() < StrangersDescriptorLimit();
  if (!enough_left || !open_->HasRoom(address, limits_)) {
    if (const auto held_back = Rate().Pass()) {
      spdlog::warn(
          "{}: refused a connection: {}{}", listener_->endpoint().ToString(),
          enough_left ? "too many are open" : "few file descriptors are left",
          LogRate::Told(*held_back));
    }
    return;
  }
  if (!address.empty()) {
    const int on = 1;
    ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(connection.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  }
  open_->Add(connection.get(), std::move(address));
  taker_(std::move(connection));
}

}  // namespace famfs::csi
