// Who makes room for whom before a request has come.
#include "csi/telemetry/http_reception.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "csi/rpc/acceptor.h"
#include "tests/unit/csi/sockets.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

using ::testing::UnorderedElementsAre;

class HttpReceptionTest : public ::testing::Test {
 protected:
  void Start(const HttpLimits& limits) {
    auto reception =
        HttpReception::Start(limits, [this](HttpReception::Asked asked) {
          const std::lock_guard lock(mutex_);
          asked_.push_back(std::move(asked));
        });
    ASSERT_TRUE(reception.ok()) << reception.status();
    reception_ = *std::move(reception);
    auto listener = Listener::Open(*ParseEndpoint("tcp://127.0.0.1:0"));
    ASSERT_TRUE(listener.ok()) << listener.status();
    auto acceptor =
        Acceptor::Start(*std::move(listener), {}, [this](UniqueFd fd) {
          reception_->Take(std::move(fd));
          ++taken_;
        });
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
  }
  void TearDown() override {
    if (acceptor_ != nullptr) acceptor_->Stop();
  }
  /// Returns when it was taken.
  UniqueFd Connect(const std::string& from) {
    const int before = taken_;
    UniqueFd fd =
        ConnectTo("127.0.0.1", acceptor_->listener().endpoint().port, from);
    EXPECT_TRUE(fd.valid());
    EXPECT_TRUE(WaitUntil([&] { return taken_ > before; }));
    return fd;
  }
  /// The paths that were asked for, when there are so many.
  std::vector<std::string> Paths(std::size_t count) {
    EXPECT_TRUE(WaitUntil([&] {
      const std::lock_guard lock(mutex_);
      return asked_.size() >= count;
    }));
    const std::lock_guard lock(mutex_);
    std::vector<std::string> paths;
    for (const auto& one : asked_) {
      paths.push_back(one.reading.ok
                          ? one.reading.request.path
                          : std::to_string(one.reading.refusal.code));
    }
    return paths;
  }
  static bool Ask(const UniqueFd& fd, const std::string& path) {
    return SendText(fd, "GET " + path + " HTTP/1.1\r\n\r\n");
  }
  static bool IsClosed(const UniqueFd& fd) {
    char byte = 0;
    return IsReadable(fd) && recv(fd.get(), &byte, 1, 0) <= 0;
  }

 private:
  std::mutex mutex_;
  std::vector<HttpReception::Asked> asked_;
  std::atomic<int> taken_ = 0;
  std::unique_ptr<HttpReception> reception_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(HttpReceptionTest, ARequestMayComeInPieces) {
  Start({});
  const UniqueFd fd = Connect("127.0.0.2");
  ASSERT_TRUE(SendText(fd, "GET /a HT"));
  ASSERT_TRUE(SendText(fd, "TP/1.1\r\n\r"));
  ASSERT_TRUE(SendText(fd, "\n"));
  EXPECT_THAT(Paths(1), UnorderedElementsAre("/a"));
}

TEST_F(HttpReceptionTest, TheBusiestAddressMakesRoom) {
  Start({.connections = 4, .per_address = 3});
  const UniqueFd quiet = Connect("127.0.0.3");
  const UniqueFd first = Connect("127.0.0.2");
  const UniqueFd second = Connect("127.0.0.2");
  const UniqueFd third = Connect("127.0.0.2");
  const UniqueFd newcomer = Connect("127.0.0.4");
  EXPECT_TRUE(IsClosed(first));
  ASSERT_TRUE(Ask(quiet, "/quiet"));
  ASSERT_TRUE(Ask(second, "/second"));
  ASSERT_TRUE(Ask(third, "/third"));
  ASSERT_TRUE(Ask(newcomer, "/new"));
  EXPECT_THAT(Paths(4),
              UnorderedElementsAre("/quiet", "/second", "/third", "/new"));
}

TEST_F(HttpReceptionTest, AnAddressWithItsShareMakesRoomForItself) {
  Start({.connections = 32, .per_address = 2});
  const UniqueFd other = Connect("127.0.0.3");
  const UniqueFd first = Connect("127.0.0.2");
  const UniqueFd second = Connect("127.0.0.2");
  const UniqueFd third = Connect("127.0.0.2");
  EXPECT_TRUE(IsClosed(first));
  ASSERT_TRUE(Ask(other, "/other"));
  ASSERT_TRUE(Ask(second, "/second"));
  ASSERT_TRUE(Ask(third, "/third"));
  EXPECT_THAT(Paths(3), UnorderedElementsAre("/other", "/second", "/third"));
}

// Each has one connection: then who came most often makes room.
TEST_F(HttpReceptionTest, OfEqualsThoseWhoComeMostMakeRoom) {
  Start({.connections = 2, .per_address = 1});
  const UniqueFd rare = Connect("127.0.0.3");
  UniqueFd often = Connect("127.0.0.2");
  for (int i = 0; i < 5; ++i) often = Connect("127.0.0.2");
  const UniqueFd newcomer = Connect("127.0.0.4");
  EXPECT_TRUE(IsClosed(often));
  ASSERT_TRUE(Ask(rare, "/rare"));
  EXPECT_THAT(Paths(1), UnorderedElementsAre("/rare"));
}

TEST_F(HttpReceptionTest, WhoHasAskedIsNeverPushedOut) {
  Start({.connections = 1, .per_address = 1});
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Connect("127.0.0.2"));
    ASSERT_TRUE(Ask(clients.back(), "/" + std::to_string(i)));
  }
  EXPECT_EQ(Paths(20).size(), 20U);
}

TEST_F(HttpReceptionTest, OneWhoLeavesWithoutAWordIsForgotten) {
  Start({.connections = 2, .per_address = 2});
  for (int i = 0; i < 100; ++i) Connect("127.0.0.2").reset();
  const UniqueFd fd = Connect("127.0.0.2");
  ASSERT_TRUE(Ask(fd, "/a"));
  EXPECT_THAT(Paths(1), UnorderedElementsAre("/a"));
}

}  // namespace
}  // namespace famfs::csi
