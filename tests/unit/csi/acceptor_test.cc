// Listeners and the acceptor behind every server.
#include "csi/rpc/acceptor.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cstddef>
#include <mutex>
#include <thread>

#include "tests/unit/csi/sockets.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

Endpoint Tcp(const std::string& host) {
  return {.kind = Endpoint::Kind::kTcp, .path = "", .host = host};
}

// Keeps what it was given.
class Taken {
 public:
  Acceptor::Taker Taker() {
    return [this](UniqueFd fd) {
      const std::lock_guard lock(mutex_);
      connections_.push_back(std::move(fd));
    };
  }
  bool WaitFor(std::size_t count) {
    return WaitUntil([&] {
      const std::lock_guard lock(mutex_);
      return connections_.size() == count;
    });
  }
  void CloseOne() {
    const std::lock_guard lock(mutex_);
    connections_.pop_back();
  }

 private:
  std::mutex mutex_;
  std::vector<UniqueFd> connections_;
};

std::unique_ptr<Acceptor> Start(const std::string& host, Taken& taken,
                                const AcceptLimits& limits = {}) {
  auto listener = Listener::Open(Tcp(host));
  EXPECT_TRUE(listener.ok()) << listener.status();
  auto acceptor = Acceptor::Start(*std::move(listener), limits, taken.Taker());
  EXPECT_TRUE(acceptor.ok()) << acceptor.status();
  return *std::move(acceptor);
}

// Whoever connects is sent away again.
bool IsSentAway(const std::string& host, std::uint16_t port) {
  const UniqueFd fd = ConnectTo(host, port);
  return IsReadable(fd) && ReceiveAll(fd).empty();
}

TEST(Listener, TwoColonsAreEveryAddressOfBothFamilies) {
  Taken taken;
  const auto acceptor = Start("::", taken);
  const Endpoint& endpoint = acceptor->listener().endpoint();
  EXPECT_EQ(endpoint.ToString(), fmt::format("tcp://[::]:{}", endpoint.port));
  const UniqueFd ipv4 = ConnectTo("127.0.0.1", endpoint.port);
  const UniqueFd ipv6 = ConnectTo("::1", endpoint.port);
  EXPECT_TRUE(ipv4.valid() && ipv6.valid());
  EXPECT_TRUE(taken.WaitFor(2));
}

TEST(Listener, OneAddressIsThatAddressAlone) {
  Taken taken;
  const auto acceptor = Start("::1", taken);
  const std::uint16_t port = acceptor->listener().endpoint().port;
  EXPECT_TRUE(ConnectTo("::1", port).valid());
  EXPECT_FALSE(ConnectTo("127.0.0.1", port).valid());
}

TEST(Listener, ANameIsAllItsAddresses) {
  Taken taken;
  const auto acceptor = Start("localhost", taken);
  const std::uint16_t port = acceptor->listener().endpoint().port;
  EXPECT_TRUE(ConnectTo("127.0.0.1", port).valid());
}

// In a thread for which socket(2) knows no IPv6.
void WithoutIpv6(const std::function<void()>& body) {
  std::thread([&] {
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program = {.len = std::size(filter), .filter = filter};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    body();
  }).join();
}

TEST(Listener, WithoutIpv6TwoColonsAreEveryIpv4Address) {
  WithoutIpv6([] {
    const auto listener = Listener::Open(Tcp("::"));
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_EQ((*listener)->endpoint().host, "0.0.0.0");
    EXPECT_TRUE(ConnectTo("127.0.0.1", (*listener)->endpoint().port).valid());
    ExpectError(Listener::Open(Tcp("::1")).status(),
                absl::StatusCode::kUnavailable, "cannot listen on tcp://[::1]");
  });
}

TEST(Listener, TheReasonOfAFailureIsTold) {
  const auto first = Listener::Open(Tcp("127.0.0.1"));
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectError(Listener::Open((*first)->endpoint()).status(),
              absl::StatusCode::kUnavailable, "the address is in use");
  ExpectError(Listener::Open(Tcp("192.0.2.1")).status(),
              absl::StatusCode::kUnavailable, "not this machine's");
  ExpectError(Listener::Open(Tcp("no host of this name")).status(),
              absl::StatusCode::kUnavailable, "cannot listen on");
}

TEST(Acceptor, AConnectionTooManyIsClosedUntilOneHasGone) {
  Taken taken;
  const auto acceptor = Start("127.0.0.1", taken, {.connections = 2});
  const std::uint16_t port = acceptor->listener().endpoint().port;
  const UniqueFd first = ConnectTo("127.0.0.1", port);
  const UniqueFd second = ConnectTo("127.0.0.1", port);
  ASSERT_TRUE(taken.WaitFor(2));
  EXPECT_TRUE(IsSentAway("127.0.0.1", port));
  taken.CloseOne();
  const UniqueFd third = ConnectTo("127.0.0.1", port);
  EXPECT_TRUE(taken.WaitFor(2));
}

TEST(Acceptor, OneAddressLeavesRoomForOthers) {
  Taken taken;
  const auto acceptor =
      Start("0.0.0.0", taken, {.connections = 10, .per_address = 2});
  const std::uint16_t port = acceptor->listener().endpoint().port;
  const UniqueFd first = ConnectTo("127.0.0.1", port);
  const UniqueFd second = ConnectTo("127.0.0.1", port);
  ASSERT_TRUE(taken.WaitFor(2));
  EXPECT_TRUE(IsSentAway("127.0.0.1", port));
  // Another way to this machine has another address at both ends.
  Taken other;
  const auto ipv6 = Start("::1", other, {.connections = 10, .per_address = 2});
  const UniqueFd third = ConnectTo("::1", ipv6->listener().endpoint().port);
  EXPECT_TRUE(other.WaitFor(1));
}

// What is logged while it lives; needs no descriptor.
class LogOfTest {
 public:
  LogOfTest() : old_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink_));
  }
  ~LogOfTest() { spdlog::set_default_logger(old_); }
  LogOfTest(const LogOfTest&) = delete;
  LogOfTest& operator=(const LogOfTest&) = delete;
  [[nodiscard]] bool Has(const std::string& text) const {
    for (const std::string& line : sink_->last_formatted()) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }

 private:
  std::shared_ptr<spdlog::logger> old_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_ =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
};

// Runs `body` while no descriptor is left to this process.
void WithoutDescriptors(const std::function<void()>& body) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd lowest_free(dup(STDERR_FILENO));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free.get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  body();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Acceptor, GoesOnWhenDescriptorsAreThereAgain) {
  Taken taken;
  const auto acceptor = Start("127.0.0.1", taken);
  const std::uint16_t port = acceptor->listener().endpoint().port;
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const LogOfTest log;
  WithoutDescriptors([&] {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address),
                      sizeof(address)),
              0);
    EXPECT_TRUE(WaitUntil([&] { return log.Has("Too many open files"); }));
  });
  EXPECT_TRUE(taken.WaitFor(1));
}

TEST(Acceptor, StrangersLeaveDescriptorsForOthers) {
  Taken of_strangers;
  Taken of_friends;
  const auto strangers =
      Start("127.0.0.1", of_strangers, {.from_strangers = true});
  const auto friends = Start("127.0.0.1", of_friends);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd lowest_free(dup(STDERR_FILENO));
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(lowest_free.get()) + 8;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_TRUE(IsSentAway("127.0.0.1", strangers->listener().endpoint().port));
  const UniqueFd a_friend =
      ConnectTo("127.0.0.1", friends->listener().endpoint().port);
  EXPECT_TRUE(of_friends.WaitFor(1));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd stranger =
      ConnectTo("127.0.0.1", strangers->listener().endpoint().port);
  EXPECT_TRUE(of_strangers.WaitFor(1));
}

TEST(Acceptor, AfterTheEndNobodyIsAccepted) {
  Taken taken;
  auto acceptor = Start("127.0.0.1", taken);
  const std::uint16_t port = acceptor->listener().endpoint().port;
  acceptor->Stop();
  acceptor.reset();
  EXPECT_FALSE(ConnectTo("127.0.0.1", port).valid());
}

}  // namespace
}  // namespace famfs::csi
