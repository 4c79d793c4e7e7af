// An instance on real memory, whose kernel takes it away and gives it back.
#include <gtest/gtest.h>

#include <memory>

#include "base/units.h"
#include "fixture.h"
#include "instance/devices/identity.h"
#include "tests/unit/dax/devdax_stand_in.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;
using testing::OpenStandIn;
using testing::StandIn;

class DevdaxInstanceTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    memory_->size = kDeviceSize;
    memory_->Cut(kDeviceSize);
    open_again_ = [this](Access access) { return OpenIt(access); };
    device_ = OpenAgain();
    Mkfs();
    Open();
  }
  [[nodiscard]] std::shared_ptr<DaxDevice> OpenIt(Access access) const {
    auto device = OpenStandIn(memory_, access, 2 * kMiB, *Uuid::Parse(kTag));
    EXPECT_OK(device);
    return *std::move(device);
  }

  static constexpr const char* kTag = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
  const std::shared_ptr<StandIn> memory_ = std::make_shared<StandIn>();
};

TEST_F(DevdaxInstanceTest, HasTheTagOfItsMemory) {
  EXPECT_EQ(writer_->superblock().device_uuid.ToString(), kTag);
  MkfsOptions options = Options();
  options.force = true;
  options.device_uuid = Uuid::Random();
  EXPECT_THAT(Say(famfs::Mkfs(*device_, options)),
              HasSubstr("would contradict it"));
}

// Upstream's mkfs gives each device a random uuid.
TEST_F(DevdaxInstanceTest, ASuperblockThatIsNotCalledAsTheMemoryIsNoFault) {
  Close();
  open_again_ = [this](Access access) -> std::shared_ptr<DaxDevice> {
    auto device = OpenStandIn(memory_, access, 2 * kMiB, Uuid::Random());
    EXPECT_OK(device);
    return *std::move(device);
  };
  EXPECT_EQ(Fsck(), "");
  Open();
  EXPECT_OK(CreateVolume("one", 2 * kMiB));
}

TEST_F(DevdaxInstanceTest, AFileIsZeroWhereAnotherOneWas) {
  const auto all = device_->Map(0, kDeviceSize, Access::kReadWrite);
  ASSERT_OK(all);
  constexpr std::uint64_t kFirstFree = 32 * kMiB;  // behind log and reserve
  std::fill_n((*all)->mutable_data() + kFirstFree, 8 * kMiB, std::byte{7});
  ASSERT_OK(CreateVolume("one", 64 * kMiB));
  for (std::uint64_t at = kFirstFree; at < kFirstFree + 8 * kMiB; at += 4096) {
    ASSERT_EQ((*all)->data()[at], std::byte{0}) << at;
  }
  EXPECT_EQ(Fsck(), "");
}

TEST_F(DevdaxInstanceTest, OutlivesTheLossOfItsMemory) {
  ASSERT_OK(CreateVolume("one", 2 * kMiB));
  auto reader = Reader::Open(OpenIt(Access::kRead));
  ASSERT_OK(reader);
  memory_->TakeAway();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const absl::Status made = CreateVolume("two", 2 * kMiB);
    EXPECT_TRUE(absl::IsUnavailable(made)) << made;
    EXPECT_THAT(Say(made), HasSubstr("there is no dax device dax0.0"));
    const auto looked = (*reader)->Refresh();
    EXPECT_TRUE(absl::IsUnavailable(looked.status())) << looked.status();
    EXPECT_FALSE(IsReplaced(looked.status()));
  }
  memory_->GiveBack();
  // Head and log are each mapped anew once a touch has shown that they are
  // lost: two looks may fail.
  absl::Status last = (*reader)->Refresh().status();
  for (int look = 0; look < 2 && !last.ok(); ++look) {
    last = (*reader)->Refresh().status();
  }
  EXPECT_OK(last);
  EXPECT_TRUE((*reader)->Tree()->volumes().contains("one"));
  Reopen();
  ASSERT_OK(CreateVolume("two", 2 * kMiB));
  EXPECT_OK((*reader)->Refresh());
  EXPECT_TRUE((*reader)->Tree()->volumes().contains("two"));
  EXPECT_EQ(Fsck(), "");
}

}  // namespace
}  // namespace famfs
