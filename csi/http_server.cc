#include "csi/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "csi/acceptor.h"

namespace famfs::csi {
namespace {

// Pages up to kSmall are not worth counting; of larger ones, so many bytes may
// wait for those who read them.
constexpr std::size_t kSmall = 64 << 10;
constexpr std::size_t kMaxKept = 64 << 20;

}  // namespace

// Those that are open, each with a thread. Shared by the server and the
// threads, so that the last of them may leave at its own pace.
class HttpServer::Connections
    : public std::enable_shared_from_this<HttpServer::Connections> {
 public:
  explicit Connections(HttpPages pages) : pages_(std::move(pages)) {}

  void Take(UniqueFd fd) {
    const std::lock_guard lock(mutex_);
    // Those that were pushed out end soon; who floods must not make more of
    // them than end.
    if (open_.size() >= 2 * kMaxHttpConnections) return;
    if (in_time_ >= kMaxHttpConnections) PushOutOldest();
    const auto at = open_.insert(open_.end(), {.fd = std::move(fd)});
    try {
      std::thread([self = shared_from_this(), at] { self->Run(at); }).detach();
      ++in_time_;
    } catch (const std::system_error&) {  // no thread is to be had
      open_.erase(at);
    }
  }

  void PushOutAllAndWait() {
    std::unique_lock lock(mutex_);
    while (in_time_ > 0) PushOutOldest();
    changed_.wait(lock, [this] { return open_.empty(); });
  }

 private:
  struct Connection {
    UniqueFd fd;
    bool pushed_out = false;
  };
  using Place = std::list<Connection>::iterator;

  // Under mutex_, while in_time_ is not 0.
  void PushOutOldest() {
    const auto oldest =
        std::find_if(open_.begin(), open_.end(),
                     [](const Connection& c) { return !c.pushed_out; });
    oldest->pushed_out = true;
    --in_time_;
    ::shutdown(oldest->fd.get(), SHUT_RDWR);
  }

  void Run(Place at) {
    Serve(at->fd.get());
    const std::lock_guard lock(mutex_);
    if (!at->pushed_out) --in_time_;
    open_.erase(at);
    changed_.notify_all();
  }

  void Serve(int fd) {
    const HttpReading reading = ReadRequest(fd);
    if (!reading.ok) {
      SendAnswer(fd, reading.refusal, /*with_body=*/true);
      return;
    }
    const bool head = reading.request.method == "HEAD";
    HttpAnswer answer =
        head || reading.request.method == "GET"
            ? Page(reading.request.path)
            : HttpAnswer::Text(405, "only GET is served here\n");
    const std::size_t large =
        answer.body.size() > kSmall ? answer.body.size() : 0;
    if (!Keep(large)) {
      answer = HttpAnswer::Text(503, "too many wait for large pages\n");
    }
    SendAnswer(fd, answer, !head);
    Release(large);
  }

  // Whether so many bytes more may wait for their readers; one page always may.
  bool Keep(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const bool fits = kept_ == 0 || kept_ + bytes <= kMaxKept;
    kept_ += bytes;
    return fits || bytes == 0;
  }

  void Release(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    kept_ -= bytes;
  }

  HttpAnswer Page(const std::string& path) const {
    const auto page = pages_.find(path);
    if (page == pages_.end()) {
      std::string known = "not here; there are:\n";
      for (const auto& [name, unused] : pages_) known += name + "\n";
      return HttpAnswer::Text(404, std::move(known));
    }
    try {
      return page->second();
    } catch (const std::exception& e) {
      return HttpAnswer::Text(500, fmt::format("{}: {}\n", path, e.what()));
    }
  }

  const HttpPages pages_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Connection> open_;  // oldest first; under mutex_
  std::size_t in_time_ = 0;     // of them, not pushed out; under mutex_
  std::size_t kept_ = 0;        // bytes of large pages; under mutex_
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const Endpoint& endpoint, HttpPages pages) {
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->connections_ = std::make_shared<Connections>(std::move(pages));
  FAMFS_ASSIGN_OR_RETURN(auto listener, Listener::Open(endpoint));
  // The limits are those of the connections themselves.
  FAMFS_ASSIGN_OR_RETURN(
      server->acceptor_,
      Acceptor::Start(std::move(listener), {.from_strangers = true},
                      [connections = server->connections_](UniqueFd fd) {
                        connections->Take(std::move(fd));
                      }));
  return server;
}

HttpServer::~HttpServer() {
  if (acceptor_ != nullptr) acceptor_->Stop();
  connections_->PushOutAllAndWait();
}

const Endpoint& HttpServer::endpoint() const {
  return acceptor_->listener().endpoint();
}

}  // namespace famfs::csi
