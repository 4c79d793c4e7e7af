#include "csi/rpc/endpoint.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "runtime/socket_file.h"

namespace famfs::csi {
namespace {

constexpr std::string_view kExamples =
    "write unix:///csi/csi.sock or tcp://127.0.0.1:10000";

absl::StatusOr<Endpoint> ParseUnix(std::string_view text,
                                   std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return InvalidArgument(
        "the endpoint \"{}\" has no absolute path (unix:// takes a third "
        "slash); {}",
        Printable(text), kExamples);
  }
  if (path.size() > kMaxSocketPath) {
    return InvalidArgument(
        "the endpoint \"{}\": the path has {} bytes and the kernel takes at "
        "most {}; choose a shorter directory",
        Printable(text), path.size(), kMaxSocketPath);
  }
  if (path.back() == '/' || path.find('\0') != std::string_view::npos) {
    return InvalidArgument("the endpoint \"{}\" names no file; {}",
                           Printable(text), kExamples);
  }
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::kUnix;
  endpoint.path = path;
  return endpoint;
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return port;
}

absl::StatusOr<Endpoint> ParseTcp(std::string_view text,
                                  std::string_view address) {
  const std::size_t colon = address.rfind(':');
  const auto port = colon == std::string_view::npos
                        ? std::nullopt
                        : ParsePort(address.substr(colon + 1));
  if (!port) {
    return InvalidArgument(
        "the endpoint \"{}\" has no port from 0 to 65535; {}", Printable(text),
        kExamples);
  }
  std::string_view host = address.substr(0, colon);
  const bool bracketed =
      host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (host.empty() || bracketed != has_colon ||
      host.find_first_of("/[] \t\n") != std::string_view::npos) {
    return InvalidArgument(
        "the endpoint \"{}\" has no host before the port (an IPv6 address "
        "stands in brackets); {}",
        Printable(text), kExamples);
  }
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::kTcp;
  endpoint.host = host;
  endpoint.port = *port;
  return endpoint;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string HostAndPort(const Endpoint& endpoint) {
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.host, v6 ? "]" : "",
                     endpoint.port);
}

}  // namespace

std::string Endpoint::ToString() const {
  return kind == Kind::kUnix ? "unix://" + path : "tcp://" + HostAndPort(*this);
}

std::string Endpoint::GrpcAddress() const {
  return kind == Kind::kUnix ? "unix:" + path : HostAndPort(*this);
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text) {
  std::string_view rest = text;
  if (TakePrefix(rest, "unix://") || TakePrefix(rest, "unix:")) {
    return ParseUnix(text, rest);
  }
  if (TakePrefix(rest, "tcp://")) return ParseTcp(text, rest);
  if (rest.starts_with('/')) return ParseUnix(text, rest);
  if (rest.find("://") != std::string_view::npos) {
    return InvalidArgument("the endpoint \"{}\" has an unknown scheme; {}",
                           Printable(text), kExamples);
  }
  return ParseTcp(text, rest);
}

absl::Status CheckSocketPath(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  struct stat status = {};
  if (stat(directory.c_str(), &status) != 0) {
    return Annotate(
        ErrnoError(errno, directory),
        fmt::format("cannot listen on {} (create the directory first)", path));
  }
  FAMFS_ASSIGN_OR_RETURN(const SocketState state, ExamineSocket(path));
  switch (state) {
    case SocketState::kListening:
      return FailedPrecondition(
          "another process is listening on {}; stop it, or choose another "
          "endpoint",
          path);
    case SocketState::kNotSocket:
      return FailedPrecondition(
          "{} is there and is not a socket; it stays untouched: move it away, "
          "or choose another endpoint",
          path);
    case SocketState::kAbsent:
    case SocketState::kStale:
      break;
  }
  return absl::OkStatus();
}

absl::Status AwaitSocketPath(const std::string& path,
                             std::chrono::milliseconds limit, int stop_fd) {
  using std::chrono::milliseconds;
  // No descriptor tells when somebody else stops listening.
  constexpr milliseconds kInterval{100};
  const auto end = std::chrono::steady_clock::now() + limit;
  bool told = false;
  for (;;) {
    const auto state = ExamineSocket(path);
    if (!state.ok() || *state != SocketState::kListening) break;
    const auto left = std::chrono::duration_cast<milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    if (!std::exchange(told, true)) {
      spdlog::info(
          "another process is listening on {}; waiting up to {:.0f} s for its "
          "end",
          path, std::chrono::duration<double>(limit).count());
    }
    pollfd stop = {.fd = stop_fd, .events = POLLIN, .revents = 0};
    if (::poll(&stop, 1, static_cast<int>(std::min(left, kInterval).count())) >
        0) {
      break;
    }
  }
  return CheckSocketPath(path);
}

}  // namespace famfs::csi
