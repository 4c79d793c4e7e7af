// The controller gives deleted space back by itself: a controller process and
// two hosts on one image.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "dax/image.h"
#include "tests/integration/deletion/host.h"
#include "tests/integration/deletion/pool_fixture.h"
#include "tests/integration/support/rpc.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs::itest {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReclaimTest : public PoolTest {
 protected:
  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "this machine has no /dev/fuse that this user may open";
    }
    ASSERT_TRUE(CreateImage(memory_ / "pool.img", 4 * kGiB).ok());
    Configure(spec_, Uuid::Random());
    ASSERT_NO_FATAL_FAILURE(StartController());
    whole_ = Capacity();
    a_ = std::make_unique<Host>(dir_, "a", spec_);
    b_ = std::make_unique<Host>(dir_, "b", spec_);
    ASSERT_NO_FATAL_FAILURE(a_->Serve());
    ASSERT_NO_FATAL_FAILURE(b_->Serve());
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
    PoolTest::TearDown();
  }
  /// Full of a pattern, on the medium.
  static void Fill(const Host& host, const std::string& file) {
    char* const at = host.Map(file, kVolume);
    std::memset(at, 0xa5, kVolume);
    EXPECT_EQ(::msync(at, kVolume, MS_SYNC), 0);
    ::munmap(at, kVolume);
  }
  std::size_t TimesTold(std::string_view text) const {
    const std::string output = controller_->output();
    std::size_t times = 0;
    for (std::size_t at = output.find(text); at != std::string::npos;
         at = output.find(text, at + 1)) {
      ++times;
    }
    return times;
  }

  const std::string spec_ = "image:" + memory_ / "pool.img";
  std::int64_t whole_ = 0;
  std::unique_ptr<Host> a_;
  std::unique_ptr<Host> b_;
};

TEST_F(ReclaimTest, DeletedSpaceComesBackWithoutACallAndIsZero) {
  for (int round = 0; round < 3; ++round) {
    const std::string first = Create(fmt::format("first-{}", round));
    const std::string second = Create(fmt::format("second-{}", round));
    EXPECT_TRUE(b_->ReadsAsZeros(FileOf(first)));
    Fill(*a_, FileOf(first));
    Fill(*b_, FileOf(second));
    EXPECT_EQ(Capacity(), whole_ - 2 * kVolume);
    Delete(first);
    ASSERT_TRUE(Becomes(whole_ - kVolume));
    // The same place, in the middle of what is used.
    const std::string third = Create(fmt::format("third-{}", round));
    EXPECT_TRUE(a_->ReadsAsZeros(FileOf(third)));
    EXPECT_TRUE(b_->ReadsAsZeros(FileOf(third)));
    Delete(second);
    Delete(third);
    ASSERT_TRUE(Becomes(whole_));
  }
  const std::string all = Create("all", whole_);
  EXPECT_EQ(Capacity(), 0);
  Delete(all);
  EXPECT_TRUE(Becomes(whole_));
  EXPECT_THAT(Famfs({"fsck", spec_}), Exits(kOk));
}

TEST_F(ReclaimTest, WhoIsWaitedForIsToldOnceAndAgainWhenItChanges) {
  const std::string id = Create("mapped");
  char* const mapped = a_->Map(FileOf(id), kVolume);
  b_->Kill();
  Delete(id);
  const std::string waits = " of deleted volumes wait until these hosts";
  ASSERT_TRUE(controller_->WaitForOutput(waits).ok());
  EXPECT_THAT(controller_->output(), HasSubstr(a_->uuid().ToString()));
  EXPECT_THAT(controller_->output(), HasSubstr(b_->uuid().ToString()));
  EXPECT_THAT(controller_->output(), HasSubstr("famfs evict " + spec_));
  EXPECT_EQ(Capacity(), whole_ - kVolume);
  ::munmap(mapped, kVolume);
  const std::string alone =
      "wait until these hosts let go of them: " + b_->uuid().ToString() + ";";
  ASSERT_TRUE(controller_->WaitForOutput(alone).ok());
  // Rounds go on without a further word.
  const std::string other = Create("other");
  const std::size_t told = TimesTold(waits);
  ASSERT_THAT(Famfs({"evict", spec_, b_->uuid().ToString()}), Exits(kOk));
  ASSERT_TRUE(Becomes(whole_ - kVolume)) << "the other one";
  ASSERT_TRUE(controller_->WaitForOutput("waits for no host any more").ok());
  EXPECT_EQ(TimesTold(waits), told);
  EXPECT_LE(told, 2U);
  Delete(other);
  EXPECT_TRUE(Becomes(whole_));
}

TEST_F(ReclaimTest, ARestartedControllerGoesOnWhereTheOldOneStood) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    const std::string id = Create(fmt::format("mapped-{}", signal));
    Fill(*b_, FileOf(id));
    char* const mapped = a_->Map(FileOf(id), kVolume);
    Delete(id);
    ASSERT_TRUE(controller_->WaitForOutput("of deleted volumes wait").ok());
    stub_.reset();  // an idle connection would be waited for
    controller_->Signal(signal);
    const auto exit = controller_->Wait();
    EXPECT_TRUE(exit.ok() && *exit == (signal == SIGTERM ? 0 : 128 + SIGKILL))
        << controller_->output();
    ASSERT_NO_FATAL_FAILURE(StartController());
    EXPECT_EQ(Capacity(), whole_ - kVolume);
    EXPECT_EQ(mapped[0], '\xa5');
    ::munmap(mapped, kVolume);
    ASSERT_TRUE(Becomes(whole_));
    const std::string again = Create(fmt::format("again-{}", signal));
    EXPECT_TRUE(b_->ReadsAsZeros(FileOf(again)));
    Delete(again);
    ASSERT_TRUE(Becomes(whole_));
  }
}

TEST_F(ReclaimTest, AVolumeIsDeletedAtOnceWhileAHostMapsIt) {
  const std::string id = Create("mapped");
  char* const mapped = a_->Map(FileOf(id), kVolume);
  Delete(id);
  Delete(id);
  const auto listed = rig::Call(*stub_, &pb::Controller::Stub::ListVolumes,
                                pb::ListVolumesRequest());
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->entries_size(), 0);
  // The same claim again is another volume elsewhere.
  const std::string again = Create("mapped");
  EXPECT_NE(again, id);
  Fill(*b_, FileOf(again));
  EXPECT_EQ(mapped[0], '\0');
  ::munmap(mapped, kVolume);
  EXPECT_TRUE(Becomes(whole_ - kVolume));
  EXPECT_THAT(controller_->output(), Not(HasSubstr("was not given back")));
}

}  // namespace
}  // namespace famfs::itest
