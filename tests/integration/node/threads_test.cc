// Threads that are not to be had: an error that says so, or a later attempt;
// never a program that dies.
#include "tests/integration/node/kubelet.h"
#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

using ::testing::HasSubstr;

// Beyond what the plugin starts until it serves.
constexpr int kThreads = 12;

TEST(Threads, OneThatIsNotToBeHadIsAnErrorOrTriedAgain) {
  TestPool pool;
  TestNode node(pool);
  const Kubelet kubelet(node);
  int refused = 0;
  for (int missing = 1; missing <= kThreads; ++missing) {
    node.SetEnvironment({"LD_PRELOAD=" FAMFS_FAIL_THREADS,
                         fmt::format("FAMFS_FAIL_THREAD={}", missing)});
    auto plugin = node.Launch(
        {"--http-endpoint", "tcp://127.0.0.1:0", "--registration", "self"});
    ASSERT_NE(plugin, nullptr);
    // It may end after csi.sock was there.
    if (rig::WaitForSocket(node.socket(), plugin.get()).ok() &&
        plugin->WaitForOutput("kubelet can register").ok() &&
        plugin->WaitForOutput("HTTP on").ok()) {
      node.Adopt(std::move(plugin));
      EXPECT_TRUE(rig::Eventually([&] {
        return !node.TopOptions(node.PoolPath(pool.fs_uuid())).empty();
      })) << "without thread "
          << missing;
      EXPECT_EQ(node.StopPlugin(), 0) << "without thread " << missing;
      continue;
    }
    ++refused;
    EXPECT_EQ(plugin->Wait().value_or(-1), 1) << plugin->output();
    EXPECT_THAT(plugin->output(), HasSubstr("a thread cannot be started"))
        << missing;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace famfs::node
