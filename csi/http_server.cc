#include "csi/http_server.h"

#include <civetweb.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <exception>
#include <future>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace famfs::csi {
namespace {

// Enough for a scrape and health checks beside a few clients that dawdle, which
// lose their connection soon.
constexpr char kThreads[] = "8";
constexpr char kRequestTimeoutMs[] = "2000";

std::string_view Reason(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

void Send(mg_connection* connection, const HttpAnswer& answer, bool with_body) {
  const std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Connection: close\r\n\r\n",
      answer.code, Reason(answer.code), answer.content_type,
      answer.body.size());
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, answer.body.data(), answer.body.size());
}

HttpAnswer Text(int code, std::string body) {
  HttpAnswer answer;
  answer.code = code;
  answer.body = std::move(body);
  return answer;
}

int LogMessage(const mg_connection* /*connection*/, const char* message) {
  spdlog::debug("HTTP: {}", Printable(message));
  return 1;
}

}  // namespace

HttpAnswer HttpAnswer::Of(const absl::Status& status) {
  if (status.ok()) return Text(200, "ok\n");
  return Text(503, std::string(Message(status)) + "\n");
}

class HttpServer::Impl {
 public:
  Impl(Endpoint endpoint, HttpPages pages)
      : endpoint_(std::move(endpoint)), pages_(std::move(pages)) {}
  ~Impl() {
    if (context_ == nullptr) return;
    // civetweb notices its end when somebody connects, else every two seconds.
    const auto stopped =
        std::async(std::launch::async, [this] { mg_stop(context_); });
    while (stopped.wait_for(std::chrono::milliseconds(20)) !=
           std::future_status::ready) {
      std::array<char, 256> error = {};
      mg_connection* const knock =
          mg_connect_client(endpoint_.host.c_str(), endpoint_.port, 0,
                            error.data(), error.size());
      if (knock != nullptr) mg_close_connection(knock);
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start() {
    mg_init_library(MG_FEATURES_DEFAULT);
    mg_callbacks callbacks = {};
    callbacks.begin_request = [](mg_connection* connection) {
      const mg_request_info* request = mg_get_request_info(connection);
      return static_cast<const Impl*>(request->user_data)
          ->Answer(connection, *request);
    };
    callbacks.log_message = LogMessage;
    const std::string address = endpoint_.GrpcAddress();
    std::array<const char*, 7> options = {
        "listening_ports",    address.c_str(),   "num_threads", kThreads,
        "request_timeout_ms", kRequestTimeoutMs, nullptr};
    std::array<char, 256> error = {};
    mg_error_data error_data = {.code = nullptr,
                                .text = error.data(),
                                .text_buffer_size = error.size()};
    mg_init_data init = {.callbacks = &callbacks,
                         .user_data = this,
                         .configuration_options = options.data()};
    context_ = mg_start2(&init, &error_data);
    if (context_ == nullptr) {
      return Unavailable(
          "cannot listen on {}: the address is in use, or not this machine's; "
          "stop the other process, or choose another --http-endpoint ({})",
          endpoint_.ToString(), Printable(error.data()));
    }
    mg_server_port port = {};
    if (mg_get_server_ports(context_, 1, &port) == 1) {
      endpoint_.port = static_cast<std::uint16_t>(port.port);
    }
    return absl::OkStatus();
  }

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  // What civetweb wants: the code of a request that was answered.
  int Answer(mg_connection* connection, const mg_request_info& request) const {
    const std::string_view method = request.request_method;
    const bool head = method == "HEAD";
    const HttpAnswer answer = head || method == "GET"
                                  ? Page(request.local_uri)
                                  : Text(405, "only GET is served here\n");
    Send(connection, answer, !head);
    return answer.code;
  }

  HttpAnswer Page(const char* path) const {
    const auto page = pages_.find(path == nullptr ? "" : path);
    if (page == pages_.end()) {
      std::string known = "not here; there are:\n";
      for (const auto& [name, unused] : pages_) known += name + "\n";
      return Text(404, std::move(known));
    }
    try {
      return page->second();
    } catch (const std::exception& e) {
      return Text(500, fmt::format("{}: {}\n", path, e.what()));
    }
  }

  Endpoint endpoint_;
  const HttpPages pages_;
  mg_context* context_ = nullptr;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const Endpoint& endpoint, HttpPages pages) {
  auto impl = std::make_unique<Impl>(endpoint, std::move(pages));
  FAMFS_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

const Endpoint& HttpServer::endpoint() const { return impl_->endpoint(); }

}  // namespace famfs::csi
