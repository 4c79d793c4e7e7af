// famfs-csi-in-use, which is asked before an uninstall.
#include <gmock/gmock.h>

#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InUse : public ControllerTest {
 protected:
  void SetUp() override {
    MakeDevice();
    StartController({"--http-endpoint", "tcp://127.0.0.1:0"});
    address_ = rig::AddressOf(controller(), "HTTP");
  }

  std::unique_ptr<rig::Process> RunInUse(std::vector<std::string> flags) {
    flags.insert(flags.begin(), rig::Binary("famfs-csi-in-use"));
    auto process = rig::Process::Start({.argv = std::move(flags)});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  std::string address_;
};

TEST_F(InUse, WithoutVolumesTheDriverIsNotInUse) {
  const auto process = RunInUse({"tcp://" + address_});
  EXPECT_EQ(process->Wait().value_or(-1), 0);
  EXPECT_THAT(process->output(), HasSubstr("No volume exists"));
}

TEST_F(InUse, WithVolumesItTellsWhichAndTheWayBack) {
  const auto first = Create("pvc-first", 4 * kMiB);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(Create("pvc-second", kGiB).ok());
  const auto process = RunInUse({address_, "--release", "famfs", "--revision",
                                 "3", "--namespace", "storage"});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  const std::string output = process->output();
  for (const std::string& text :
       {std::string("2 volumes exist"), std::string("pvc-first"),
        std::string("pvc-second"), first->volume().volume_id(),
        std::string("1.00 GiB"), std::string("fast"),
        std::string("helm rollback famfs 3 --namespace storage"),
        std::string("helm uninstall famfs --namespace storage\n")}) {
    EXPECT_THAT(output, HasSubstr(text));
  }
  ASSERT_TRUE(Delete(first->volume().volume_id()).ok());
  const auto later = RunInUse({address_});
  EXPECT_EQ(later->Wait().value_or(-1), 1);
  EXPECT_THAT(later->output(), HasSubstr("1 volume exists"));
  EXPECT_THAT(later->output(), Not(HasSubstr("pvc-first")));
}

TEST_F(InUse, ManyVolumesAreCountedAndSomeShown) {
  constexpr int kVolumes = 110;  // more than are shown
  for (int i = 0; i < kVolumes; ++i) {
    ASSERT_TRUE(Create(fmt::format("pvc-{}", i), 2 * kMiB).ok());
  }
  const auto process = RunInUse({address_});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  EXPECT_THAT(process->output(), HasSubstr("110 volumes exist"));
  EXPECT_THAT(process->output(), HasSubstr("... and 10 more"));
}

TEST_F(InUse, AControllerThatDoesNotAnswerCountsAsInUse) {
  KillController();
  const auto process = RunInUse({address_, "--timeout", "1"});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  EXPECT_THAT(process->output(), HasSubstr("no answer within 1 s"));
  EXPECT_THAT(process->output(), HasSubstr("--no-hooks"));
  EXPECT_THAT(process->output(), HasSubstr("helm rollback"));
}

TEST_F(InUse, AnAddressThatIsNoneIsAMistakeOfTheCommandLine) {
  const auto process = RunInUse({"nowhere"});
  EXPECT_EQ(process->Wait().value_or(-1), 2);
  EXPECT_THAT(process->output(), HasSubstr("nowhere"));
}

TEST_F(InUse, AVolumesNameForgesNoLine) {
  ASSERT_TRUE(Create("pvc\nforged\"x\\y\xe2\x80\xae", 4 * kMiB).ok());
  const auto process = RunInUse({address_});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  const std::string output = process->output();
  EXPECT_THAT(output, HasSubstr("1 volume exists"));
  EXPECT_THAT(output, HasSubstr("forged\"x"));
  EXPECT_THAT(output, Not(HasSubstr("\nforged")));
  EXPECT_THAT(output, Not(HasSubstr("\xe2\x80\xae")));
}

TEST_F(InUse, AClosedPoolCountsAsInUse) {
  KillController();
  const auto process =
      Launch("pools:\n  - name: late\n    device: emulated:/nowhere/dcd\n",
             {"--http-endpoint", "tcp://127.0.0.1:0"});
  const auto in_use =
      RunInUse({rig::AddressOf(*process, "HTTP"), "--timeout", "1"});
  EXPECT_EQ(in_use->Wait().value_or(-1), 1);
  EXPECT_THAT(in_use->output(), HasSubstr("has not opened the pool late"));
}

TEST_F(InUse, ASocketIsAMistakeOfTheCommandLine) {
  const auto in_use = RunInUse({"unix:///csi/csi.sock"});
  EXPECT_EQ(in_use->Wait().value_or(-1), 2);
}

}  // namespace
}  // namespace famfs
