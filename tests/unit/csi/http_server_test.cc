#include "csi/telemetry/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "csi/rpc/acceptor.h"
#include "tests/unit/csi/sockets.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  void Serve(HttpPages pages, const std::string& host = "127.0.0.1") {
    auto server = HttpServer::Start(
        {.kind = Endpoint::Kind::kTcp, .path = "", .host = host},
        std::move(pages));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void ServeHealth(const std::string& host = "127.0.0.1") {
    Serve({{"/healthz", [] { return HttpAnswer::Of(absl::OkStatus()); }}},
          host);
  }

  [[nodiscard]] std::uint16_t port() const { return server_->endpoint().port; }
  [[nodiscard]] UniqueFd Connect(const std::string& host = "127.0.0.1") const {
    return ConnectTo(host, port());
  }
  [[nodiscard]] std::string Ask(const std::string& request,
                                const std::string& host = "127.0.0.1") const {
    const UniqueFd fd = Connect(host);
    EXPECT_TRUE(SendText(fd, request));
    return ReceiveAll(fd);
  }
  static std::string Get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersPagesAndTellsWhichThereAre) {
  ServeHealth();
  EXPECT_THAT(Ask(Get("/healthz")), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Ask(Get("/healthz?verbose=1")), HasSubstr("\r\n\r\nok\n"));
  EXPECT_THAT(Ask("GET /healthz HTTP/1.0\n\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask(Get("/other")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask(Get("/other")), HasSubstr("/healthz"));
}

TEST_F(HttpServerTest, AHeadHasNoBody) {
  ServeHealth();
  const std::string head = Ask("HEAD /healthz HTTP/1.1\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
}

TEST_F(HttpServerTest, WhatIsNoQuestionIsRefused) {
  ServeHealth();
  const std::string post =
      Ask("POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD\r\n"));
  for (const char* wrong :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /healthz\r\n\r\n", "  \r\n\r\n",
        "GET /healthz SPDY/1\r\n\r\n", "\x16\x03\x01\x02\n\n"}) {
    EXPECT_THAT(Ask(wrong), StartsWith("HTTP/1.1 400 ")) << wrong;
  }
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nX: " + std::string(10'000, 'x')),
              StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, APageThatThrowsIsAFailureOfThatPage) {
  Serve({{"/bad", []() -> HttpAnswer { throw std::runtime_error("broken"); }}});
  EXPECT_THAT(Ask(Get("/bad")), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(Ask(Get("/bad")), HasSubstr("broken"));
}

TEST_F(HttpServerTest, AnErrorIsToldOnOneLine) {
  Serve({{"/readyz", [] {
            return HttpAnswer::Of(Unavailable("pool a\nb\x1b is closed"));
          }}});
  EXPECT_THAT(Ask(Get("/readyz")),
              HasSubstr("\r\n\r\npool a\\nb\\x1b is closed\n"));
}

TEST_F(HttpServerTest, ServesBothFamiliesOfAddresses) {
  ServeHealth("::");
  EXPECT_THAT(Ask(Get("/healthz"), "127.0.0.1"), HasSubstr("200 OK"));
  EXPECT_THAT(Ask(Get("/healthz"), "::1"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, ARequestThatNeverEndsEndsAllTheSame) {
  ServeHealth();
  const UniqueFd fd = Connect();
  ASSERT_TRUE(SendText(fd, "GET /hea"));
  EXPECT_THAT(ReceiveAll(fd), StartsWith("HTTP/1.1 408 "));
}

// A byte now and then keeps no connection: the time is that of the request.
TEST_F(HttpServerTest, AByteNowAndThenBuysNoTime) {
  ServeHealth();
  const UniqueFd fd = Connect();
  const auto start = std::chrono::steady_clock::now();
  while (SendText(fd, "x") && !IsReadable(fd, 200)) {
    ASSERT_LT(std::chrono::steady_clock::now() - start,
              std::chrono::seconds(20));
  }
  EXPECT_THAT(ReceiveAll(fd), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, ManySilentClientsKeepNobodyOut) {
  ServeHealth();
  std::vector<UniqueFd> silent;
  for (std::size_t i = 0; i < 3 * HttpLimits().connections; ++i) {
    silent.push_back(Connect());
    ASSERT_TRUE(silent.back().valid());
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Ask(Get("/healthz")), StartsWith("HTTP/1.1 200 "));
  // Sooner than any of them can have run out of its time.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(HttpServerTest, AReaderWhoDoesNotReadLosesItsConnection) {
  Serve({{"/large",
          [] { return HttpAnswer::Text(200, std::string(64 << 20, 'x')); }},
         {"/small", [] { return HttpAnswer::Text(200, "small\n"); }}});
  const UniqueFd fd = Connect();
  ASSERT_TRUE(SendText(fd, Get("/large")));
  EXPECT_THAT(Ask(Get("/small")), HasSubstr("small\n"));
  server_.reset();  // which does not wait for it
  EXPECT_LT(ReceiveAll(fd).size(), 64U << 20);
}

TEST_F(HttpServerTest, APageIsMadeOnceForAllWhoAskMeanwhile) {
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0;
  int most = 0;
  Serve({{"/page", [&] {
            std::unique_lock lock(mutex);
            most = std::max(most, ++inside);
            changed.notify_all();
            // Time for another one to come in, if it may.
            changed.wait_for(lock, std::chrono::milliseconds(200),
                             [&] { return inside > 1; });
            --inside;
            return HttpAnswer::Text(200, "made\n");
          }}});
  std::vector<std::future<std::string>> answers;
  for (std::size_t i = 0; i < HttpLimits().per_address; ++i) {
    answers.push_back(
        std::async(std::launch::async, [this] { return Ask(Get("/page")); }));
  }
  for (auto& answer : answers) EXPECT_THAT(answer.get(), HasSubstr("made\n"));
  EXPECT_EQ(most, 1);
}

TEST_F(HttpServerTest, TheEndWaitsForAPageThatIsBeingMade) {
  std::promise<void> entered;
  std::promise<void> go;
  std::atomic<bool> made = false;
  Serve({{"/slow", [&] {
            entered.set_value();
            go.get_future().wait();
            made = true;
            return HttpAnswer::Text(200, "slow\n");
          }}});
  const UniqueFd fd = Connect();
  ASSERT_TRUE(SendText(fd, Get("/slow")));
  entered.get_future().wait();
  std::thread end([&] {
    server_.reset();
    EXPECT_TRUE(made);
  });
  EXPECT_TRUE(IsReadable(fd));  // closed under it
  go.set_value();
  end.join();
}

}  // namespace
}  // namespace famfs::csi
