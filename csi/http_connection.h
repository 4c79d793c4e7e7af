// One HTTP/1 request on a connection, and its answer, each within a time of its
// own, however slow the other side is. Home-made, since the small HTTP
// libraries of Debian limit the time between two bytes, not that of a request,
// and what is needed of HTTP here is the first line.
#pragma once

#include <chrono>
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

/// Reads a request's head from a non-blocking socket; a body is left alone. On
/// failure the answer for it: 400, 408 (too slow), 431 (more than 8 KiB). A
/// connection that ended is a 400, which nobody reads.
struct HttpReading {
  bool ok = false;
  HttpRequest request;  // if ok
  HttpAnswer refusal;   // if not
};
HttpReading ReadRequest(int fd, const HttpTimes& times = {});

/// Sends the answer, says that it was the last one, and waits a moment for the
/// other side to have read it.
void SendAnswer(int fd, const HttpAnswer& answer, bool with_body,
                const HttpTimes& times = {});

}  // namespace famfs::csi
