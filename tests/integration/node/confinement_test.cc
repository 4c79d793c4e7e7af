// What the plugin and a server that it starts give up
// (node/fused/confinement.h, csi/process/confinement.h).
#include "tests/integration/node/test_node.h"

namespace famfs::node {
namespace {

using ::testing::HasSubstr;

TEST(Confinement, ThePluginAndItsServerKeepThreeCapabilities) {
  TestPool pool;
  TestNode node(pool);
  node.Start();
  ASSERT_THAT(node.Stage(pool.Create(), node.StagingPath("v1")), IsOk());
  for (const pid_t pid : {node.plugin().pid(), node.FusedPid(pool.fs_uuid())}) {
    const std::string status =
        rig::ReadWholeFile(fmt::format("/proc/{}/status", pid));
    for (const char* line :
         {"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000200204\n",
          "CapEff:\t0000000000200204\n", "CapBnd:\t0000000000200204\n",
          "NoNewPrivs:\t1\n", "Seccomp:\t2\n"}) {
      EXPECT_THAT(status, HasSubstr(line));
    }
  }
}

}  // namespace
}  // namespace famfs::node
