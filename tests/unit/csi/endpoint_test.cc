#include "csi/rpc/endpoint.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>

#include "base/unique_fd.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

// A socket bound at `path`; it listens when `listening` says so.
UniqueFd BindSocket(const std::string& path, bool listening) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  EXPECT_EQ(listening ? listen(fd.get(), 1) : 0, 0);
  return fd;
}

TEST(Endpoint, UnixForms) {
  for (const char* text :
       {"unix:///csi/csi.sock", "unix:/csi/csi.sock", "/csi/csi.sock"}) {
    const auto endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->kind, Endpoint::Kind::kUnix);
    EXPECT_EQ(endpoint->path, "/csi/csi.sock");
    EXPECT_EQ(endpoint->ToString(), "unix:///csi/csi.sock");
    EXPECT_EQ(endpoint->GrpcAddress(), "unix:/csi/csi.sock");
    EXPECT_EQ(*ParseEndpoint(endpoint->ToString()), *endpoint);
  }
}

TEST(Endpoint, TcpForms) {
  for (const char* text : {"tcp://127.0.0.1:10000", "127.0.0.1:10000"}) {
    const auto endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->kind, Endpoint::Kind::kTcp);
    EXPECT_EQ(endpoint->host, "127.0.0.1");
    EXPECT_EQ(endpoint->port, 10000);
    EXPECT_EQ(endpoint->GrpcAddress(), "127.0.0.1:10000");
  }
  const auto v6 = ParseEndpoint("tcp://[::1]:0");
  ASSERT_TRUE(v6.ok()) << v6.status();
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->ToString(), "tcp://[::1]:0");
}

TEST(Endpoint, OthersAreRefusedWithAnExample) {
  for (const char* bad :
       {"", "csi.sock", "unix://csi.sock", "unix:", "unix:///", "unix:///csi/",
        "http://localhost:80", "localhost", "localhost:", ":10000",
        "localhost:70000", "localhost:-1", "localhost:1x", "::1:80", "[::1:80",
        "tcp:///x:1", "[host]:1"}) {
    ExpectError(ParseEndpoint(bad).status(), absl::StatusCode::kInvalidArgument,
                "unix:///csi/csi.sock");
  }
  ExpectError(ParseEndpoint("unix:///" + std::string(107, 'x')).status(),
              absl::StatusCode::kInvalidArgument, "at most 107");
  EXPECT_TRUE(ParseEndpoint("unix:///" + std::string(106, 'x')).ok());
}

TEST(SocketPath, AFreePathMayBeTaken) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(CheckSocketPath(directory.File("s")).ok());
}

TEST(SocketPath, AStaleSocketMayBeTaken) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("s");
  BindSocket(path, true).reset();  // its process is gone
  EXPECT_TRUE(CheckSocketPath(path).ok());
}

TEST(SocketPath, ALivingSocketMayNot) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("s");
  const UniqueFd server = BindSocket(path, true);
  ExpectError(CheckSocketPath(path), absl::StatusCode::kFailedPrecondition,
              "another process is listening on " + path);
}

constexpr std::chrono::minutes kLong{10};

TEST(SocketPath, IsAwaitedUntilItsOwnerIsGone) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  UniqueFd owner = BindSocket(path, /*listening=*/true);
  auto awaited = std::async(std::launch::async,
                            [&] { return AwaitSocketPath(path, kLong, -1); });
  owner.reset();
  EXPECT_TRUE(awaited.get().ok());
}

TEST(SocketPath, IsNotAwaitedForEver) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  const UniqueFd owner = BindSocket(path, /*listening=*/true);
  ExpectError(AwaitSocketPath(path, std::chrono::milliseconds(20), -1),
              absl::StatusCode::kFailedPrecondition,
              "another process is listening on " + path);
}

TEST(SocketPath, IsAwaitedNoLongerWhenToldToStop) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  const UniqueFd owner = BindSocket(path, /*listening=*/true);
  const UniqueFd stop(eventfd(1, EFD_CLOEXEC));
  ExpectError(AwaitSocketPath(path, kLong, stop.get()),
              absl::StatusCode::kFailedPrecondition, "another process");
}

TEST(SocketPath, OfAFileIsNotAwaited) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  std::ofstream(path) << "precious";
  ExpectError(AwaitSocketPath(path, kLong, -1),
              absl::StatusCode::kFailedPrecondition, "is not a socket");
}

TEST(SocketPath, AFileIsNeverTaken) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("s");
  std::ofstream(path) << "precious";
  ExpectError(CheckSocketPath(path), absl::StatusCode::kFailedPrecondition,
              "is not a socket");
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

TEST(SocketPath, AMissingDirectoryIsTold) {
  ExpectError(CheckSocketPath("/nowhere/at/all/csi.sock"),
              absl::StatusCode::kNotFound, "create the directory first");
}

}  // namespace
}  // namespace famfs::csi
