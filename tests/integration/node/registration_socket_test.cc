// The registration socket and its neighbours: what earlier plugins left, what
// others put there, and two plugins at once.
#include <signal.h>
#include <unistd.h>

#include "tests/integration/node/kubelet.h"

namespace famfs::node {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kSelf = {"--registration", "self"};

TEST(RegistrationSocket, OfAKilledPluginIsReplaced) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  node.KillPlugin();
  EXPECT_TRUE(kubelet.SocketIsThere());
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_TRUE(kubelet.GetInfo().ok());
}

TEST(RegistrationSocket, ThatSomebodyRemovedIsMadeAgain) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  node.Run([&] { ASSERT_EQ(::unlink(kubelet.socket().c_str()), 0); });
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_TRUE(kubelet.GetInfo().ok());
}

// kubelet forgets a driver whose socket is deleted, and no other.
TEST(RegistrationSocket, IsDeletedAtTheEnd) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_EQ(node.StopPlugin(), 0);
  EXPECT_TRUE(kubelet.WaitUntilItIsDeleted());
  EXPECT_FALSE(kubelet.SocketIsThere());
}

TEST(RegistrationSocket, OfAnotherProcessIsLeftToItAndTakenWhenThatEnds) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  UniqueFd other;
  node.Run([&] {
    ASSERT_EQ(::unlink(kubelet.socket().c_str()), 0);
    other = ListenOn(kubelet.socket());
  });
  ASSERT_TRUE(kubelet.WaitUntilItAppears());  // the other one's
  ASSERT_THAT(
      node.plugin().WaitForOutput("has replaced the registration socket"),
      IsOk());
  other.reset();
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_TRUE(kubelet.GetInfo().ok());
}

TEST(RegistrationSocket, OfAnotherProcessSurvivesOurEnd) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  UniqueFd other;
  node.Run([&] {
    ASSERT_EQ(::unlink(kubelet.socket().c_str()), 0);
    other = ListenOn(kubelet.socket());
  });
  EXPECT_EQ(node.StopPlugin(), 0);
  EXPECT_TRUE(kubelet.SocketIsThere());
}

TEST(RegistrationSocket, IsNotTouchedWhereASidecarRegisters) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  node.KillPlugin();
  node.Start({"--registration", "sidecar"});
  // What our predecessor left is stale: a registrar replaces it.
  node.Run([&] {
    ASSERT_EQ(::unlink(kubelet.socket().c_str()), 0);
    ListenOn(kubelet.socket());
  });
  ASSERT_TRUE(kubelet.WaitUntilItAppears());  // the registrar's
  EXPECT_EQ(node.StopPlugin(), 0);
  EXPECT_TRUE(kubelet.SocketIsThere());
  // And back again.
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_TRUE(kubelet.GetInfo().ok());
}

TEST(TwoPlugins, TheSecondWaitsUntilTheFirstHasEnded) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  auto second =
      node.Launch({"--registration", "self", "--wait-for-predecessor", "10m"});
  ASSERT_THAT(second->WaitForOutput("another process is listening on"), IsOk());
  EXPECT_TRUE(second->Running());
  EXPECT_EQ(node.StopPlugin(), 0);
  node.Adopt(std::move(second));
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  EXPECT_TRUE(kubelet.GetInfo().ok());
}

TEST(TwoPlugins, TheSecondGivesUpInTheEnd) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  node.Start(kSelf);
  ASSERT_TRUE(kubelet.WaitUntilItAppears());
  const auto second =
      node.Launch({"--registration", "self", "--wait-for-predecessor", "50ms"});
  EXPECT_EQ(second->Wait().value_or(-1), 1);
  EXPECT_THAT(second->output(),
              HasSubstr("famfs-csi-node: another process is listening on " +
                        node.socket()));
  EXPECT_TRUE(kubelet.GetInfo().ok());
}

TEST(TwoPlugins, TheSecondEndsAtOnceWhenItIsTold) {
  TestPool pool;
  TestNode node(pool);
  node.Start(kSelf);
  const auto second =
      node.Launch({"--registration", "self", "--wait-for-predecessor", "10m"});
  ASSERT_THAT(second->WaitForOutput("another process is listening on"), IsOk());
  EXPECT_EQ(second->Stop().value_or(-1), 128 + SIGTERM);
}

TEST(TwoPlugins, ARegistrarThatStaysIsNamedBeforeAnythingIsMounted) {
  TestPool pool;
  TestNode node(pool);
  Kubelet kubelet(node);
  UniqueFd registrar;
  node.Run([&] { registrar = ListenOn(kubelet.socket()); });
  const auto plugin =
      node.Launch({"--registration", "self", "--wait-for-predecessor", "50ms"});
  EXPECT_EQ(plugin->Wait().value_or(-1), 1);
  EXPECT_THAT(plugin->output(),
              HasSubstr("is listening on " + kubelet.socket()));
  EXPECT_FALSE(node.Exists(node.kubelet() + "/plugins"));
}

}  // namespace
}  // namespace famfs::node
