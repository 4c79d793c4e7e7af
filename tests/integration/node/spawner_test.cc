// The servers in a container of their own, as the chart makes it: pid and mount
// namespaces from which nothing is mounted for the node, two capabilities, and
// a /dev/fuse that cannot be opened.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "node/fused/spawner_wire.h"
#include "tests/integration/node/test_node.h"
#include "tests/unit/dax/device_specs.h"

namespace famfs::node {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

class SpawnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spawner_ = StartSpawner(socket_);
    node_.UseSpawner(socket_);
    node_.Start();
    volume_ = pool_.Create();
    staging_ = node_.StagingPath("v1");
    target_ = node_.TargetPath("pod-a");
    ASSERT_THAT(node_.Stage(volume_, staging_), IsOk());
    ASSERT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  }
  void TearDown() override {
    node_.StopPlugin();
    if (HasFailure() && spawner_ != nullptr) {
      std::fprintf(stderr, "---- the spawner's output:\n%s----\n",
                   spawner_->output().c_str());
    }
  }

  std::unique_ptr<rig::Process> StartSpawner(const std::string& socket) {
    const std::string script =
        "mount --bind /dev/null /dev/fuse && exec setpriv --no-new-privs "
        "--bounding-set=-all,+sys_admin \"$0\" --socket \"$1\"";
    auto process = rig::Process::Start(
        {.argv = {"/usr/bin/unshare", "--pid", "--fork", "--kill-child",
                  "--mount", "--propagation", "slave", "/bin/sh", "-c", script,
                  rig::Binary("famfs-fused-spawner"), socket},
         .mount_namespace = node_.mount_namespace()});
    EXPECT_TRUE(process.ok()) << Message(process.status());
    if (!process.ok()) return nullptr;
    EXPECT_THAT((*process)->WaitForOutput("listens on"), IsOk());
    return *std::move(process);
  }

  rig::TempDir dir_{"famfs-spawner"};
  const std::string socket_ = dir_ / "spawner.sock";
  TestPool pool_;
  TestNode node_{pool_};
  std::unique_ptr<rig::Process> spawner_;
  std::string volume_;
  std::string staging_;
  std::string target_;
};

TEST_F(SpawnerTest, AServerOutlivesThePluginAndIsFoundAgain) {
  node_.Run([&] {
    MappedFile mapping(target_ + "/data", true);
    ASSERT_TRUE(mapping.valid());
    node_.KillPlugin();
    mapping.Put(0, "no one");
    EXPECT_EQ(OpenErrno(target_ + "/data", O_RDWR), 0);
  });
  node_.Start();
  EXPECT_THAT(node_.plugin().WaitForOutput("found the famfs-fused"), IsOk());
  EXPECT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
  EXPECT_EQ(node_.MountsAt(target_), 1U);
  EXPECT_THAT(node_.Unpublish(volume_, target_), IsOk());
  EXPECT_THAT(node_.Unstage(volume_, staging_), IsOk());
}

TEST_F(SpawnerTest, AContainerOfServersThatDiesIsReplaced) {
  spawner_->Kill();
  node_.Run([&] {
    // The servers went with it.
    EXPECT_TRUE(rig::Eventually(
        [&] { return OpenErrno(target_ + "/data", O_RDWR) == ENOTCONN; }));
  });
  spawner_ = StartSpawner(socket_);
  EXPECT_TRUE(node_.WaitUntilServed(staging_));
  EXPECT_TRUE(node_.WaitUntilServed(target_));
  node_.Run([&] { EXPECT_EQ(OpenErrno(target_ + "/data", O_RDWR), 0); });
}

TEST_F(SpawnerTest, EndedByASignalItEndsItsServersAndLeavesTheirMounts) {
  const std::string mount = node_.kubelet() + "/plugins/famfs.csi/pools/" +
                            pool_.fs_uuid().ToString();
  node_.StopPlugin();
  // The signal goes to the container's first process, unshare's child.
  const std::string children = rig::ReadWholeFile(
      fmt::format("/proc/{0}/task/{0}/children", spawner_->pid()));
  ASSERT_EQ(::kill(std::atoi(children.c_str()), SIGTERM), 0);
  EXPECT_EQ(spawner_->Wait().value_or(-1), 0);
  EXPECT_THAT(spawner_->output(), HasSubstr("ending 1 servers"));
  EXPECT_EQ(node_.MountsAt(mount), 1U);
  EXPECT_FALSE(node_.Exists(socket_));
  node_.Run([&] { EXPECT_EQ(OpenErrno(target_, O_RDONLY), ENOTCONN); });
  node_.Start();  // for TearDown
}

TEST_F(SpawnerTest, AServerOfAnotherPodIsWaitedFor) {
  node_.StopPlugin();
  // The old pod's containers still end while the new pod's have begun.
  const std::string fresh = dir_ / "fresh.sock";
  const auto fresh_spawner = StartSpawner(fresh);
  node_.UseSpawner(fresh);
  node_.Start();
  EXPECT_THAT(node_.plugin().WaitForOutput("held by a famfs-fused of another"),
              IsOk());
  spawner_->Kill();
  EXPECT_TRUE(node_.WaitUntilServed(staging_));
  EXPECT_TRUE(node_.WaitUntilServed(target_));
  node_.StopPlugin();
}

TEST_F(SpawnerTest, NonsenseIsAnsweredAndChangesNothing) {
  const timeval limit = {.tv_sec = 30, .tv_usec = 0};
  for (const char* text :
       {"", "{", "[]", "{\"op\": 1}", "{\"op\": \"start\"}",
        "{\"op\": \"start\", \"device\": 7}", "{\"op\": \"stop\"}",
        "{\"op\": \"start\", \"device\": \"\xff\", \"deviceList\": \"\", "
        "\"mountPoint\": \"\", \"lockFile\": \"\"}"}) {
    const auto connection = ConnectToSpawner(socket_, limit);
    ASSERT_TRUE(connection.ok()) << Message(connection.status());
    ASSERT_THAT(SendMessage(connection->get(), {.text = text}), IsOk());
    const auto answer = ReceiveMessage(connection->get());
    if (*text == '\0') continue;  // an empty packet reads as an end of file
    ASSERT_TRUE(answer.ok()) << text << Message(answer.status());
    EXPECT_THAT(answer->text, HasSubstr("\"error\"")) << text;
  }
  node_.Run([&] { EXPECT_EQ(OpenErrno(target_ + "/data", O_RDWR), 0); });
}

TEST_F(SpawnerTest, ServersHaveNoMoreThanWhatTheyNeed) {
  const auto child_of = [](pid_t pid) {
    return std::atoi(
        rig::ReadWholeFile(fmt::format("/proc/{0}/task/{0}/children", pid))
            .c_str());
  };
  // unshare, the spawner, famfs-fused.
  const pid_t fused = child_of(child_of(spawner_->pid()));
  const std::string status =
      rig::ReadWholeFile(fmt::format("/proc/{}/status", fused));
  EXPECT_THAT(status, HasSubstr("Name:\tfamfs-fused\n"));
  for (const char* line :
       {"CapPrm:\t0000000000200000\n", "CapBnd:\t0000000000200000\n",
        "NoNewPrivs:\t1\n", "Seccomp:\t2\n"}) {
    EXPECT_THAT(status, HasSubstr(line));
  }
}

TEST_F(SpawnerTest, AStartWithoutFuseIsRefused) {
  FusedLaunch options;
  options.device = testing::Spec(pool_.spec());
  nlohmann::json request = ToJson(options);
  request["op"] = "start";
  const auto caller = ConnectToSpawner(socket_, {.tv_sec = 30, .tv_usec = 0});
  ASSERT_TRUE(caller.ok()) << Message(caller.status());
  ASSERT_THAT(SendMessage(caller->get(), {.text = request.dump()}), IsOk());
  const auto answer = ReceiveMessage(caller->get());
  ASSERT_TRUE(answer.ok()) << Message(answer.status());
  EXPECT_THAT(answer->text, HasSubstr("/dev/fuse"));
}

TEST_F(SpawnerTest, CallersThatSayNothingKeepNobodyWaiting) {
  const timeval limit = {.tv_sec = 3, .tv_usec = 0};
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 100; ++i) {
    auto connection = ConnectToSpawner(socket_, limit);
    ASSERT_TRUE(connection.ok()) << i << Message(connection.status());
    silent.push_back(*std::move(connection));
  }
  const auto caller = ConnectToSpawner(socket_, limit);
  ASSERT_TRUE(caller.ok()) << Message(caller.status());
  ASSERT_THAT(SendMessage(caller->get(),
                          {.text = R"({"op": "find", "lockFile": "/none"})"}),
              IsOk());
  const auto answer = ReceiveMessage(caller->get());
  ASSERT_TRUE(answer.ok()) << Message(answer.status());
  EXPECT_EQ(answer->text, R"({"pid":0})");
}

TEST(SpawnerOutOfDescriptors, TakesInThoseWhoWaitForThoseWhoSayNothing) {
  const rig::TempDir dir("famfs-spawner");
  const std::string socket = dir / "spawner.sock";
  const auto spawner = rig::Process::Start(
      {.argv = {rig::Binary("famfs-fused-spawner"), "--socket", socket},
       .descriptors = 16});
  ASSERT_TRUE(spawner.ok()) << Message(spawner.status());
  ASSERT_THAT((*spawner)->WaitForOutput("listens on"), IsOk());
  // Less than its patience with who says nothing.
  const timeval limit = {.tv_sec = 3, .tv_usec = 0};
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 40; ++i) {
    auto connection = ConnectToSpawner(socket, limit);
    ASSERT_TRUE(connection.ok()) << i << Message(connection.status());
    silent.push_back(*std::move(connection));
  }
  const auto caller = ConnectToSpawner(socket, limit);
  ASSERT_TRUE(caller.ok()) << Message(caller.status());
  ASSERT_THAT(SendMessage(caller->get(),
                          {.text = R"({"op": "find", "lockFile": "/none"})"}),
              IsOk());
  const auto answer = ReceiveMessage(caller->get());
  ASSERT_TRUE(answer.ok()) << Message(answer.status()) << (*spawner)->output();
  EXPECT_EQ(answer->text, R"({"pid":0})");
  EXPECT_THAT((*spawner)->output(), HasSubstr("Too many open files"));
}

TEST_F(SpawnerTest, ADeviceIsNeverTakenForAnOption) {
  FusedLaunch options;
  options.device = testing::Spec("--help");
  options.device_list = dir_ / "devices";
  options.mount_point = dir_.path();
  options.lock_file = dir_ / "lock";
  nlohmann::json request = ToJson(options);
  request["op"] = "start";
  const auto caller = ConnectToSpawner(socket_, {.tv_sec = 30, .tv_usec = 0});
  ASSERT_TRUE(caller.ok()) << Message(caller.status());
  SpawnerMessage message{.text = request.dump()};
  message.descriptors.emplace_back(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(message.descriptors[0].valid());
  ASSERT_THAT(SendMessage(caller->get(), message), IsOk());
  const auto answer = ReceiveMessage(caller->get());
  ASSERT_TRUE(answer.ok()) << Message(answer.status());
  ASSERT_EQ(answer->descriptors.size(), 2U) << answer->text;
  std::string line(512, '\0');
  const ssize_t length =
      ::read(answer->descriptors[1].get(), line.data(), line.size());
  ASSERT_GT(length, 0) << "it ended without a word";
  line.resize(static_cast<std::size_t>(length));
  EXPECT_THAT(line, HasSubstr("error: "));
  EXPECT_THAT(line, HasSubstr("--help"));
}

TEST_F(SpawnerTest, ASecondOneAtTheSameSocketIsRefused) {
  auto second = rig::Process::Start(
      {.argv = {rig::Binary("famfs-fused-spawner"), "--socket", socket_}});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second)->Wait().value_or(-1), 1);
  EXPECT_THAT((*second)->output(), HasSubstr("another famfs-fused-spawner"));
  EXPECT_THAT(node_.Publish(volume_, staging_, target_), IsOk());
}

}  // namespace
}  // namespace famfs::node
