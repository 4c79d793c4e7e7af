// What the controller gives up when it begins (csi/process/confinement.h).
#include <gmock/gmock.h>

#include "tests/integration/controller/fixture.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

using Confinement = ControllerTest;

TEST_F(Confinement, TheControllerKeepsOneCapabilityAndDoesItsWork) {
  MakeDevice();
  StartController();
  const std::string status =
      rig::ReadWholeFile(fmt::format("/proc/{}/status", controller().pid()));
  for (const char* line :
       {"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000200\n",
        "CapEff:\t0000000000000200\n", "CapBnd:\t0000000000000200\n",
        "NoNewPrivs:\t1\n", "Seccomp:\t2\n"}) {
    EXPECT_THAT(status, HasSubstr(line));
  }
  const auto created = Create("pvc", 4 * kMiB);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(Delete(created->volume().volume_id()).ok());
  EXPECT_EQ(controller().Stop().value_or(-1), 0) << controller().output();
}

}  // namespace
}  // namespace famfs
