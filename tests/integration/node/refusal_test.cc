// What the node refuses, and that it says what to do and leaves nothing behind.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>

#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using ::testing::HasSubstr;

TEST(Refusals, ATargetThatIsAMountPointAlreadyIsLeftAsItIs) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  node.Run([&] {
    fs::create_directory(target);
    ASSERT_EQ(::mount("mine", target.c_str(), "tmpfs", 0, ""), 0);
    rig::WriteFile(target + "/precious", "x");
  });
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  const absl::Status published = node.Publish(volume, staging, target);
  EXPECT_THAT(published, IsError(StatusCode::kFailedPrecondition, target));
  EXPECT_THAT(published, IsError(StatusCode::kFailedPrecondition, "mine"));
  EXPECT_THAT(published,
              IsError(StatusCode::kFailedPrecondition, "unmount it"));
  EXPECT_THAT(node.Unpublish(volume, target),
              IsError(StatusCode::kFailedPrecondition, "left as it is"));
  EXPECT_EQ(node.MountsAt(target), 1U);
  EXPECT_TRUE(node.Exists(target + "/precious"));
}

TEST(Refusals, AStagingPathThatHoldsAnotherVolumeIsLeftAsItIs) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string first = pool.Create({.csi_name = "pvc-1"});
  const std::string second = pool.Create({.csi_name = "pvc-2"});
  const std::string staging = node.StagingPath("shared");
  ASSERT_THAT(node.Stage(first, staging), IsOk());
  EXPECT_THAT(node.Stage(second, staging),
              IsError(StatusCode::kFailedPrecondition, "something else"));
  EXPECT_THAT(node.Publish(second, staging, node.TargetPath("pod-a")),
              IsError(StatusCode::kFailedPrecondition, "something else"));
  EXPECT_THAT(node.Unstage(second, staging),
              IsError(StatusCode::kFailedPrecondition, "something else"));
  EXPECT_EQ(node.MountsAt(staging), 1U);
}

TEST(Refusals, ATargetWithContentsIsNeverCoveredOrRemoved) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  node.Run([&] {
    fs::create_directory(target);
    rig::WriteFile(target + "/precious", "x");
  });
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  EXPECT_THAT(node.Publish(volume, staging, target),
              IsError(StatusCode::kFailedPrecondition, "move them away"));
  EXPECT_THAT(node.Unpublish(volume, target),
              IsError(StatusCode::kFailedPrecondition, "move them away"));
  EXPECT_TRUE(node.Exists(target + "/precious"));
}

TEST(Refusals, NothingIsStagedOverWhatADirectoryHolds) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  node.Run([&] { rig::WriteFile(staging + "/precious", "x"); });
  EXPECT_THAT(node.Stage(volume, staging),
              IsError(StatusCode::kFailedPrecondition, "move them away"));
  EXPECT_THAT(node.Stage(volume, "/etc"),
              IsError(StatusCode::kFailedPrecondition, "move them away"));
  EXPECT_EQ(node.MountsAt(staging), 0U);
  EXPECT_EQ(node.MountsAt("/etc"), 0U);
  EXPECT_TRUE(node.Exists(staging + "/precious"));
}

TEST(Refusals, HostilePathsTouchNothing) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  const std::string outside = node.kubelet() + "/outside";
  const std::string link = node.kubelet() + "/pods-link";
  node.Run([&] {
    fs::create_directory(outside);
    fs::create_directory_symlink(outside, link);
  });
  for (const std::string& path :
       {std::string("relative/target"), node.kubelet() + "/pods/../outside/t",
        node.kubelet() + "/./t", link + "/t", std::string("/"),
        "/" + std::string(5000, 'a'), std::string("/x\0y", 4)}) {
    EXPECT_THAT(node.Publish(volume, staging, path),
                IsError(StatusCode::kInvalidArgument, ""))
        << path;
    EXPECT_THAT(node.Unpublish(volume, path),
                IsError(StatusCode::kInvalidArgument, ""))
        << path;
    EXPECT_THAT(node.Stage(volume, path),
                IsError(StatusCode::kInvalidArgument, ""))
        << path;
  }
  EXPECT_FALSE(node.Exists(outside + "/t"));
  // A target that is a link itself is not followed either.
  EXPECT_THAT(node.Publish(volume, staging, link),
              IsError(StatusCode::kFailedPrecondition, "not a directory"));
  EXPECT_THAT(node.Publish(volume, staging, node.kubelet() + "/missing/target"),
              IsError(StatusCode::kFailedPrecondition, "no such directory"));
}

TEST(Refusals, HostileIdsAreUnknownVolumes) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  const std::string instance = pool.fs_uuid().ToString().substr(0, 8);
  for (const std::string& id :
       {std::string("x"), "v1:" + instance + ":../../etc",
        "v1:" + instance + ":.meta", "v1:" + instance + ":a/data",
        "v1:" + instance + ":", "v1:" + instance + ":nonesuch",
        std::string("v1:00000000:nonesuch"), volume + "/data"}) {
    EXPECT_THAT(node.Stage(id, staging), IsError(StatusCode::kNotFound, ""))
        << id;
    EXPECT_THAT(node.Publish(id, staging, target),
                IsError(StatusCode::kNotFound, ""))
        << id;
    EXPECT_THAT(node.Unpublish(id, target), IsOk()) << id;
    EXPECT_THAT(node.Unstage(id, staging), IsOk()) << id;
  }
  EXPECT_EQ(node.MountsAt(staging), 0U);
  EXPECT_FALSE(node.Exists(target));
}

TEST(Refusals, MissingFieldsAndUnofferedCapabilitiesAreNamed) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const std::string target = node.TargetPath("pod-a");
  EXPECT_THAT(node.Stage("", staging),
              IsError(StatusCode::kInvalidArgument, "volume_id"));
  EXPECT_THAT(node.Stage(volume, ""),
              IsError(StatusCode::kInvalidArgument, "staging_target_path"));
  EXPECT_THAT(node.Publish(volume, staging, ""),
              IsError(StatusCode::kInvalidArgument, "target_path"));
  EXPECT_THAT(node.Stage(volume, staging, Mode::MULTI_NODE_SINGLE_WRITER),
              IsError(StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(node.Publish(volume, staging, target, false,
                           Mode::MULTI_NODE_MULTI_WRITER, {"suid"}),
              IsError(StatusCode::kInvalidArgument, "mount flag"));
  EXPECT_EQ(rig::Call(node.stub(), &pb::Node::Stub::NodeStageVolume,
                      [&] {
                        pb::NodeStageVolumeRequest request;
                        request.set_volume_id(volume);
                        request.set_staging_target_path(staging);
                        return request;
                      }())
                .status()
                .code(),
            StatusCode::kInvalidArgument);
}

TEST(Refusals, AMissingDeviceIsUnavailableUntilItIsThere) {
  TestPool pool;
  const rig::TempDir place;
  const std::string link = place / "device";  // appears later
  TestNode node(std::vector<PoolLine>{{"fast", "emulated:" + link}});
  node.Start();
  const std::string volume = pool.Create();
  const std::string staging = node.StagingPath("v1");
  const absl::Status missing = node.Stage(volume, staging);
  EXPECT_THAT(missing, IsError(StatusCode::kUnavailable, "pool fast"));
  EXPECT_THAT(missing, IsError(StatusCode::kUnavailable, link));
  EXPECT_THAT(missing, IsError(StatusCode::kUnavailable, "attach the device"));
  auto info = rig::Call(node.stub(), &pb::Node::Stub::NodeGetInfo,
                        pb::NodeGetInfoRequest());
  ASSERT_THAT(info.status(), IsOk());
  EXPECT_FALSE(info->has_accessible_topology());
  // What needs no device still works.
  EXPECT_THAT(node.Unstage(volume, staging), IsOk());

  fs::create_directory_symlink(pool.spec().substr(sizeof("emulated:") - 1),
                               link);
  EXPECT_THAT(node.Stage(volume, staging), IsOk());
  info = rig::Call(node.stub(), &pb::Node::Stub::NodeGetInfo,
                   pb::NodeGetInfoRequest());
  EXPECT_EQ(info->accessible_topology().segments_size(), 1);
}

TEST(Refusals, ABlankDeviceSaysHowToMakeAnInstance) {
  const rig::Tmpfs memory;
  rig::WriteFile(memory / "blank", "");
  ASSERT_EQ(::truncate((memory / "blank").c_str(), 4LL << 30), 0);
  TestNode node(std::vector<PoolLine>{{"fast", "image:" + (memory / "blank")}});
  node.Start();
  EXPECT_THAT(node.Stage("v1:00000000:x", node.StagingPath("v1")),
              IsError(StatusCode::kUnavailable, "famfs mkfs"));
}

TEST(Refusals, AStaleSocketFileIsReplacedAndALivingOneIsNot) {
  TestPool pool;
  TestNode node(pool);
  {
    const UniqueFd left(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    node.socket().copy(address.sun_path, node.socket().size());
    ASSERT_EQ(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address),
                     sizeof(address)),
              0);
  }
  node.Start();  // waits until somebody answers there
  const auto second = rig::Process::Start(
      {.argv = {
           rig::Binary("famfs-csi-node"), "--config",
           node.socket().substr(0, node.socket().rfind('/')) + "/config.yaml",
           "--endpoint", "unix://" + node.socket(), "--kubelet-path",
           node.kubelet()}});
  ASSERT_TRUE(second.ok());
  const auto status = (*second)->Wait();
  ASSERT_TRUE(status.ok()) << Message(status.status());
  EXPECT_NE(*status, 0);
  EXPECT_THAT((*second)->output(), HasSubstr("listening"));
  EXPECT_TRUE(node.plugin().Running());
  EXPECT_FALSE(std::filesystem::exists(node.kubelet() + "/plugins"))
      << "the second one runs outside of the node's namespace";
}

TEST(Refusals, TheDataPathAskedForIsServedOrRefused) {
  TestPool pool("flat", /*image=*/true);
  TestNode node(pool);
  node.Start();
  const std::string staging = node.StagingPath("v1");
  const std::string strict =
      pool.Create({.csi_name = "strict", .data_path = DataPath::kPassthrough});
  const absl::Status refused = node.Stage(strict, staging);
  EXPECT_THAT(refused, IsError(StatusCode::kFailedPrecondition, "passthrough"));
  EXPECT_THAT(refused, IsError(StatusCode::kFailedPrecondition, "copy"));
  EXPECT_EQ(node.MountsAt(staging), 0U);

  const std::string volume = pool.Create({.csi_name = "any"});
  const std::string target = node.TargetPath("pod-a");
  ASSERT_THAT(node.Stage(volume, staging), IsOk());
  EXPECT_THAT(node.Publish(volume, staging, target),
              IsError(StatusCode::kFailedPrecondition, "page cache"));
  EXPECT_FALSE(node.Exists(target));
  EXPECT_THAT(node.Publish(volume, staging, target, false,
                           Mode::SINGLE_NODE_MULTI_WRITER),
              IsOk());
  EXPECT_THAT(node.Publish(volume, staging, node.TargetPath("pod-b"), true),
              IsOk());
}

TEST(Refusals, AKubeletDirectoryThatIsNotThereEndsTheStart) {
  TestPool pool;
  const rig::TempDir dir;
  rig::WriteFile(
      dir / "config.yaml",
      fmt::format("pools:\n  - name: fast\n    device: {}\n", pool.spec()));
  const auto plugin = rig::Process::Start(
      {.argv = {rig::Binary("famfs-csi-node"), "--config", dir / "config.yaml",
                "--endpoint", "unix://" + (dir / "csi.sock"), "--kubelet-path",
                dir / "nowhere"}});
  ASSERT_TRUE(plugin.ok());
  const auto status = (*plugin)->Wait();
  ASSERT_TRUE(status.ok()) << Message(status.status());
  EXPECT_EQ(*status, 1);
  EXPECT_THAT((*plugin)->output(), HasSubstr("--kubelet-path"));
}

TEST(Refusals, HelpTellsANewcomerWhatTheProgramIs) {
  const auto plugin =
      rig::Process::Start({.argv = {rig::Binary("famfs-csi-node"), "--help"}});
  ASSERT_TRUE(plugin.ok());
  EXPECT_EQ((*plugin)->Wait().value_or(-1), 0);
  for (const char* word : {"--config", "--endpoint", "--kubelet-path",
                           "--fused", "pods", "famfs-fused"}) {
    EXPECT_THAT((*plugin)->output(), HasSubstr(word));
  }
}

}  // namespace
}  // namespace famfs::node
