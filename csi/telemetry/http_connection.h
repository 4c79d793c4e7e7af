// One HTTP/1 request on a connection, and its answer, each within a time of its
// own, however slow the other side is. Home-made, since the small HTTP
// libraries of Debian limit the time between two bytes, not that of a request,
// and what is needed of HTTP here is the first line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/status.h"

namespace famfs::csi {

struct HttpAnswer {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;

  /// 200 "ok", or 503 and the message.
  static HttpAnswer Of(const absl::Status& status);
  /// A code with a text.
  static HttpAnswer Text(int code, std::string body);
};

struct HttpRequest {
  std::string method;  // as it was sent
  std::string path;    // without the query
};

struct HttpTimes {
  std::chrono::milliseconds request{2'000};  // to its last header line
  std::chrono::milliseconds answer{5'000};   // to its last byte
};

/// A request, or what is to be answered instead.
struct HttpReading {
  bool ok = false;
  HttpRequest request;  // if ok
  HttpAnswer refusal;   // if not

  /// For one whose time is over: 408.
  static HttpReading TooSlow(const HttpTimes& times = {});
};

/// Collects a request's head from a non-blocking socket; a body is left alone.
class HttpHead {
 public:
  /// Takes what is there and never waits. nullopt: it is not whole yet. Of what
  /// is no request: 400, or 431 (more than 8 KiB).
  std::optional<HttpReading> Read(int fd);
  /// The other side left without a word: nobody reads an answer.
  [[nodiscard]] bool is_forsaken() const { return ended_ && text_.empty(); }

 private:
  std::string text_;
  bool ended_ = false;
};

/// Sends the answer, says that it was the last one, and waits a moment for the
/// other side to have read it.
void SendAnswer(int fd, const HttpAnswer& answer, bool with_body,
                const HttpTimes& times = {});

}  // namespace famfs::csi
