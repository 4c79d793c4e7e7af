// Calls on different volumes never wait for each other, and a server that does
// not answer holds up nobody else. Every interleaving is arranged, none timed.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/fanotify.h>

#include <cerrno>
#include <filesystem>
#include <future>

#include "tests/integration/node/fuse_question.h"
#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

using absl::StatusCode;

// Holds whoever opens a directory until it is let go: a rendezvous with another
// process inside of its call.
class OpenGate {
 public:
  OpenGate(const TestNode& node, const std::string& directory) {
    node.Run([&] {
      fd_.reset(::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY));
      if (!fd_.valid() ||
          ::fanotify_mark(fd_.get(), FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ONDIR,
                          AT_FDCWD, directory.c_str()) != 0) {
        error_ = errno;
      }
    });
  }
  ~OpenGate() { Release(); }
  [[nodiscard]] int error() const { return error_; }

  /// True: somebody stands at the gate now.
  bool WaitForArrival() {
    pollfd item = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, static_cast<int>(rig::kPatience.count())) != 1) {
      return false;
    }
    fanotify_event_metadata event = {};
    if (::read(fd_.get(), &event, sizeof(event)) != sizeof(event)) return false;
    held_ = UniqueFd(event.fd);
    return true;
  }

  /// Lets everybody pass from now on.
  void Release() {
    if (held_.valid()) {
      const fanotify_response allow = {.fd = held_.get(),
                                       .response = FAN_ALLOW};
      EXPECT_EQ(::write(fd_.get(), &allow, sizeof(allow)),
                static_cast<ssize_t>(sizeof(allow)));
      held_.reset();
    }
    fd_.reset();
  }

 private:
  UniqueFd fd_;
  UniqueFd held_;
  int error_ = 0;
};

bool IsReady(const std::future<absl::Status>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

TEST(Parallel, TwoVolumesDoNotWaitForEachOther) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string slow = pool.Create({.csi_name = "slow"});
  const std::string quick = pool.Create({.csi_name = "quick"});
  const std::string slow_staging = node.StagingPath("slow");
  const std::string quick_staging = node.StagingPath("quick");
  const std::string slow_target = node.TargetPath("pod-slow");
  const std::string quick_target = node.TargetPath("pod-quick");
  ASSERT_THAT(node.Stage(slow, slow_staging), IsOk());

  // A target that is there already is looked into before it is mounted on.
  node.Run([&] { std::filesystem::create_directory(slow_target); });
  OpenGate gate(node, slow_target);
  if (gate.error() != 0) {
    GTEST_SKIP() << "needs a kernel with fanotify permission events: "
                 << std::strerror(gate.error());
  }
  auto blocked = std::async(std::launch::async, [&] {
    return node.Publish(slow, slow_staging, slow_target);
  });
  ASSERT_TRUE(gate.WaitForArrival()) << node.output();
  // The call on `slow` stands still now, with its volume locked.
  EXPECT_THAT(node.Stage(quick, quick_staging), IsOk());
  EXPECT_THAT(node.Publish(quick, quick_staging, quick_target), IsOk());
  EXPECT_TRUE(node.Stats(quick, quick_target).ok());
  EXPECT_TRUE(node.Stats(slow, slow_staging).ok());
  EXPECT_THAT(node.Unpublish(quick, quick_target), IsOk());
  EXPECT_THAT(node.Unstage(quick, quick_staging), IsOk());
  EXPECT_FALSE(IsReady(blocked));
  gate.Release();
  EXPECT_THAT(blocked.get(), IsOk());
  EXPECT_EQ(node.MountsAt(slow_target), 1U);
}

TEST(Parallel, PodsOfOneVolumeDoNotWaitForEachOther) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string slow_target = node.TargetPath("pod-slow");
  const std::string quick_target = node.TargetPath("pod-quick");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  node.Run([&] { std::filesystem::create_directory(slow_target); });
  OpenGate gate(node, slow_target);
  if (gate.error() != 0) {
    GTEST_SKIP() << "needs a kernel with fanotify permission events: "
                 << std::strerror(gate.error());
  }
  auto blocked = std::async(std::launch::async, [&] {
    return node.Publish(volume, staging, slow_target);
  });
  ASSERT_TRUE(gate.WaitForArrival()) << node.output();
  EXPECT_THAT(node.Publish(volume, staging, quick_target), IsOk());
  EXPECT_THAT(node.Unpublish(volume, quick_target), IsOk());
  // Who takes the staged mount away waits for those who publish it.
  auto unstaging = std::async(std::launch::async,
                              [&] { return node.Unstage(volume, staging); });
  EXPECT_FALSE(IsReady(blocked));
  EXPECT_FALSE(IsReady(unstaging));
  gate.Release();
  EXPECT_THAT(blocked.get(), IsOk());
  EXPECT_THAT(unstaging.get(), IsOk());
  EXPECT_EQ(node.MountsAt(slow_target), 1U);
  EXPECT_EQ(node.MountsAt(staging), 0U);
}

TEST(Parallel, AServerThatDoesNotAnswerHoldsUpNoOtherPool) {
  TestPool stuck("stuck");
  TestPool good("good");
  TestNode node(std::vector<PoolLine>{{stuck.name(), stuck.spec()},
                                      {good.name(), good.spec()}});
  node.Start();
  const std::string one = stuck.Create({.csi_name = "one"});
  const std::string two = good.Create({.csi_name = "two"});
  const std::string three = stuck.Create({.csi_name = "three"});
  const std::string staging = node.StagingPath("one");
  ASSERT_THAT(node.Stage(one, staging), IsOk());
  const pid_t server = node.FusedPid(stuck.fs_uuid());
  ASSERT_TRUE(rig::StandStill(server));

  // A volume that its server never heard of: staging it must ask.
  auto asking = std::async(std::launch::async, [&] {
    return node.Stage(three, node.StagingPath("three"));
  });
  const std::string other = node.StagingPath("two");
  EXPECT_THAT(node.Stage(two, other), IsOk());
  EXPECT_THAT(node.Publish(two, other, node.TargetPath("pod-two")), IsOk());
  // Figures, cloning and unmounting ask no server.
  EXPECT_TRUE(node.Stats(one, staging).ok());
  const std::string target = node.TargetPath("pod-one");
  EXPECT_THAT(node.Publish(one, staging, target), IsOk());
  EXPECT_THAT(node.Unpublish(one, target), IsOk());
  EXPECT_THAT(node.Unstage(one, staging), IsOk());
  EXPECT_THAT(asking.get(),
              IsError(StatusCode::kUnavailable, "did not answer"));

  ASSERT_EQ(::kill(server, SIGCONT), 0);
  EXPECT_THAT(node.Stage(three, node.StagingPath("three")), IsOk());
}

// More calls than a server can hold up helpers; each asks for a volume that the
// server has never heard of.
TEST(Parallel, ManyCallsForAServerThatHangsHoldUpNoOtherPool) {
  TestPool stuck("stuck");
  TestPool good("good");
  TestNode node(std::vector<PoolLine>{{stuck.name(), stuck.spec()},
                                      {good.name(), good.spec()}});
  node.Start();
  const std::string healthy = good.Create({.csi_name = "healthy"});
  ASSERT_THAT(node.Stage(healthy, node.StagingPath("healthy")), IsOk());
  const std::string first = stuck.Create({.csi_name = "first"});
  ASSERT_THAT(node.Stage(first, node.StagingPath("first")), IsOk());
  const pid_t server = node.FusedPid(stuck.fs_uuid());
  ASSERT_TRUE(rig::StandStill(server));

  constexpr int kCalls = 70;
  std::vector<std::future<absl::Status>> calls;
  for (int i = 0; i < kCalls; ++i) {
    const std::string name = fmt::format("stuck-{}", i);
    const std::string volume =
        stuck.Create({.csi_name = name, .size = 2 * kMiB});
    calls.push_back(std::async(std::launch::async,
                               [&, volume, staging = node.StagingPath(name)] {
                                 return node.Stage(volume, staging);
                               }));
  }
  for (int i = 0; i < 5; ++i) {
    const std::string name = fmt::format("good-{}", i);
    const std::string volume = good.Create({.csi_name = name});
    EXPECT_THAT(node.Stage(volume, node.StagingPath(name)), IsOk());
    EXPECT_THAT(
        node.Publish(volume, node.StagingPath(name), node.TargetPath(name)),
        IsOk());
  }
  for (auto& call : calls) {
    EXPECT_THAT(call.get(),
                IsError(StatusCode::kUnavailable, "did not answer"));
  }
  ASSERT_EQ(::kill(server, SIGCONT), 0);
  const std::string last = stuck.Create({.csi_name = "last"});
  EXPECT_THAT(node.Stage(last, node.StagingPath("last")), IsOk());
}

TEST(Parallel, ManyCallsForAHealthyServerAreAllServed) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  constexpr int kCalls = 200;
  std::vector<std::pair<std::string, std::string>> volumes;  // id, staging
  for (int i = 0; i < kCalls; ++i) {
    const std::string name = fmt::format("v{}", i);
    volumes.emplace_back(pool.Create({.csi_name = name, .size = 2 * kMiB}),
                         node.StagingPath(name));
  }
  std::vector<std::future<absl::Status>> calls;
  for (const auto& [volume, staging] : volumes) {
    calls.push_back(std::async(std::launch::async,
                               [&] { return node.Stage(volume, staging); }));
  }
  for (auto& call : calls) EXPECT_THAT(call.get(), IsOk());
}

TEST(Parallel, FiguresOfAPathBelowAHangingMountAreRefusedAtOnce) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  ASSERT_THAT(node.Publish(volume, staging, target), IsOk());
  const pid_t server = node.FusedPid(pool.fs_uuid());
  ASSERT_TRUE(rig::StandStill(server));
  for (const char* below : {"/data", "/none", "/a/b", "/a/b/c/d"}) {
    EXPECT_THAT(node.Stats(volume, target + below).status(),
                IsError(StatusCode::kNotFound, ""))
        << below;
    EXPECT_THAT(node.Publish(volume, staging, target + below),
                IsError(StatusCode::kInvalidArgument, "within a volume"))
        << below;
  }
  // Nothing of that has left somebody waiting.
  EXPECT_EQ(node.StopPlugin(), 0);
  ASSERT_EQ(::kill(server, SIGCONT), 0);
}

TEST(Parallel, ThePluginEndsThoughCallsWaitForAServerThatHangs) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  ASSERT_THAT(node.Stage(volume, node.StagingPath("v1")), IsOk());
  const pid_t server = node.FusedPid(pool.fs_uuid());
  ASSERT_TRUE(rig::StandStill(server));
  const std::string fresh = pool.Create({.csi_name = "fresh"});
  const std::string staging = node.StagingPath("fresh");
  auto waiting = std::async(std::launch::async,
                            [&] { return node.Stage(fresh, staging); });
  ASSERT_TRUE(
      rig::Eventually([&] { return rig::AsksAServer(node.plugin().pid()); }));
  const auto start = std::chrono::steady_clock::now();
  node.plugin().Signal(SIGTERM);
  EXPECT_THAT(waiting.get(), IsError(StatusCode::kUnavailable, ""));
  EXPECT_EQ(node.plugin().Wait().value_or(-1), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
  ASSERT_EQ(::kill(server, SIGCONT), 0);
}

TEST(Parallel, ManyCallsOnOneVolumeLeaveOneMountEach) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  std::vector<std::future<absl::Status>> calls;
  for (int i = 0; i < 16; ++i) {
    calls.push_back(std::async(std::launch::async, [&, i] {
      return i % 2 == 0 ? node.Stage(volume, staging)
                        : node.Publish(volume, staging, target);
    }));
  }
  for (auto& call : calls) EXPECT_THAT(call.get(), IsOk());
  EXPECT_EQ(node.MountsAt(staging), 1U);
  EXPECT_EQ(node.MountsAt(target), 1U);
}

}  // namespace
}  // namespace famfs::node
