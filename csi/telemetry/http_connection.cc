#include "csi/telemetry/http_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace famfs::csi {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxHead = 8 << 10;   // bytes
constexpr std::size_t kMaxRest = 64 << 10;  // bytes that are read and forgotten
constexpr milliseconds kFarewell{200};

std::string_view Reason(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

// False: the time is over.
bool Await(int fd, short events, Clock::time_point end) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    pollfd polled = {.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// Reads and forgets what is there, waiting for it; how many bytes that were. 0:
// the end, or nothing in time.
std::size_t Forget(int fd, Clock::time_point end) {
  std::array<char, 2048> buffer;
  while (Await(fd, POLLIN, end)) {
    const ssize_t length = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (length > 0) return static_cast<std::size_t>(length);
    if (length == 0 || (errno != EAGAIN && errno != EINTR)) return 0;
  }
  return 0;
}

bool SendAll(int fd, std::string_view bytes, Clock::time_point end) {
  while (!bytes.empty() && Await(fd, POLLOUT, end)) {
    const ssize_t length = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (length >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(length));
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    }
  }
  return bytes.empty();
}

// "GET /healthz?verbose HTTP/1.1"
std::optional<HttpRequest> Parse(std::string_view head) {
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const std::size_t first = line.find(' ');
  const std::size_t second = line.rfind(' ');
  if (first == std::string_view::npos || second <= first ||
      !line.substr(second + 1).starts_with("HTTP/1.")) {
    return std::nullopt;
  }
  const std::string_view target = line.substr(first + 1, second - first - 1);
  return HttpRequest{.method = std::string(line.substr(0, first)),
                     .path = std::string(target.substr(0, target.find('?')))};
}

HttpReading Refuse(int code, std::string text) {
  HttpReading reading;
  reading.refusal = HttpAnswer::Text(code, std::move(text));
  return reading;
}

bool IsWhole(std::string_view head) {
  return head.find("\r\n\r\n") != std::string_view::npos ||
         head.find("\n\n") != std::string_view::npos;
}

}  // namespace

HttpAnswer HttpAnswer::Text(int code, std::string body) {
  HttpAnswer answer;
  answer.code = code;
  answer.body = std::move(body);
  return answer;
}

HttpAnswer HttpAnswer::Of(const absl::Status& status) {
  if (status.ok()) return Text(200, "ok\n");
  return Text(503, PrintableLine(Message(status)) + "\n");
}

HttpReading HttpReading::TooSlow(const HttpTimes& times) {
  return Refuse(408, fmt::format("no whole request within {} ms\n",
                                 times.request.count()));
}

std::optional<HttpReading> HttpHead::Read(int fd) {
  std::array<char, 2048> buffer;
  while (!IsWhole(text_)) {
    if (text_.size() > kMaxHead) {
      return Refuse(431,
                    fmt::format("more than {} bytes of headers\n", kMaxHead));
    }
    const ssize_t length = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (length > 0) {
      text_.append(buffer.data(), static_cast<std::size_t>(length));
    } else if (length < 0 && errno == EAGAIN) {
      return std::nullopt;
    } else if (length == 0 || errno != EINTR) {
      ended_ = true;
      return Refuse(400, "half a request\n");
    }
  }
  std::optional<HttpRequest> request = Parse(text_);
  if (!request.has_value()) return Refuse(400, "this is no HTTP/1 request\n");
  HttpReading reading;
  reading.ok = true;
  reading.request = *std::move(request);
  return reading;
}

void SendAnswer(int fd, const HttpAnswer& answer, bool with_body,
                const HttpTimes& times) {
  const std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "{}Connection: close\r\n\r\n",
      answer.code, Reason(answer.code), answer.content_type, answer.body.size(),
      answer.code == 405 ? "Allow: GET, HEAD\r\n" : "");
  const auto end = Clock::now() + times.answer;
  if (!SendAll(fd, head, end)) return;
  if (with_body && !SendAll(fd, answer.body, end)) return;
  ::shutdown(fd, SHUT_WR);
  // To close while bytes wait to be read (a body, say) would reset the
  // connection and take the answer with it.
  const auto farewell = Clock::now() + kFarewell;
  std::size_t rest = 0;
  while (rest < kMaxRest) {
    const std::size_t more = Forget(fd, farewell);
    if (more == 0) return;
    rest += more;
  }
}

}  // namespace famfs::csi
