// Where a gRPC server listens: a Unix socket or a TCP address.
//
//   unix:///csi/csi.sock   unix:/csi/csi.sock   tcp://127.0.0.1:10000
//   127.0.0.1:10000        tcp://[::1]:10000    /csi/csi.sock
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace famfs::csi {

struct Endpoint {
  enum class Kind { kUnix, kTcp };
  Kind kind = Kind::kUnix;
  std::string path;        // kUnix: absolute
  std::string host;        // kTcp: without brackets
  std::uint16_t port = 0;  // kTcp; 0 lets the kernel choose

  /// "unix:///csi/csi.sock", "tcp://127.0.0.1:10000", "tcp://[::1]:10000":
  /// ParseEndpoint takes it again.
  [[nodiscard]] std::string ToString() const;
  /// As gRPC names it: "unix:/csi/csi.sock", "127.0.0.1:10000".
  [[nodiscard]] std::string GrpcAddress() const;

  bool operator==(const Endpoint&) const = default;
};

/// InvalidArgument names the text and shows a right one. A socket's path is
/// absolute and at most kMaxSocketPath bytes long (runtime/socket_file.h).
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text);

/// OK when a server may take the path (absent or stale). FailedPrecondition
/// "another process is listening", or "not a socket", with what to do; NotFound
/// when its directory is missing. Removes nothing.
[[nodiscard]] absl::Status CheckSocketPath(const std::string& path);

/// CheckSocketPath, but while another process is listening it asks again, until
/// `limit` has passed or `stop_fd` is readable: a predecessor that is being
/// ended takes its time. Logs that it waits.
[[nodiscard]] absl::Status AwaitSocketPath(const std::string& path,
                                           std::chrono::milliseconds limit,
                                           int stop_fd);

}  // namespace famfs::csi
