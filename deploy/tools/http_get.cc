#include "deploy/tools/http_get.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/text.h"
#include "base/unique_fd.h"

namespace famfs {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxPage = 256 << 20;  // bytes

absl::Status Await(int fd, short events, Clock::time_point end) {
  const auto left = std::max<milliseconds::rep>(
      0, std::chrono::duration_cast<milliseconds>(end - Clock::now()).count());
  pollfd polled = {.fd = fd, .events = events, .revents = 0};
  const int ready = ::poll(&polled, 1, static_cast<int>(left));
  if (ready > 0 || (ready < 0 && errno == EINTR && left > 0)) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError("no answer");
}

absl::StatusOr<UniqueFd> Connect(const csi::Endpoint& endpoint,
                                 Clock::time_point end) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(endpoint.host.c_str(),
                    std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) return Unavailable("{}", ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(
      found, &::freeaddrinfo);
  int failure = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    UniqueFd fd(
        ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(fd.get(), at->ai_addr, at->ai_addrlen) != 0 &&
        errno != EINPROGRESS) {
      failure = errno;
      continue;
    }
    FAMFS_RETURN_IF_ERROR(Await(fd.get(), POLLOUT, end));
    socklen_t length = sizeof(failure);
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure == 0) return fd;
  }
  return Unavailable("{}", std::strerror(failure));
}

absl::StatusOr<std::string> ReadAll(int fd, Clock::time_point end) {
  std::string text;
  std::array<char, 16 << 10> buffer;
  for (;;) {
    FAMFS_RETURN_IF_ERROR(Await(fd, POLLIN, end));
    const ssize_t length = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (length == 0) return text;
    if (length < 0 && errno != EAGAIN && errno != EINTR) {
      return Unavailable("{}", std::strerror(errno));
    }
    if (length > 0)
      text.append(buffer.data(), static_cast<std::size_t>(length));
    if (text.size() > kMaxPage) return OutOfRange("the page never ends");
  }
}

}  // namespace

absl::StatusOr<std::string> HttpGet(const csi::Endpoint& endpoint,
                                    const std::string& path,
                                    milliseconds limit) {
  const auto end = Clock::now() + limit;
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd, Connect(endpoint, end));
  const std::string request =
      fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, endpoint.host);
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Unavailable("{}", std::strerror(errno));
  }
  FAMFS_ASSIGN_OR_RETURN(const std::string answer, ReadAll(fd.get(), end));
  const std::string_view text = answer;
  const std::size_t body = text.find("\r\n\r\n");
  const std::string_view status = text.substr(0, text.find("\r\n"));
  const std::size_t code = status.find(' ');
  if (!status.starts_with("HTTP/1.") || code == std::string_view::npos ||
      body == std::string_view::npos) {
    return Unavailable("what answers there speaks no HTTP");
  }
  if (!status.substr(code + 1).starts_with("200")) {
    return Unavailable("{} answers {}", path,
                       Printable(status.substr(code + 1), 100));
  }
  return answer.substr(body + 4);
}

}  // namespace famfs
