// Devices with one capability alone, as no kind of today is: what follows from
// each of them, and from no other.
#include <algorithm>

#include "fixture.h"
#include "hook_device.h"
#include "instance/deletion/host_session.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class CapabilitiesTest : public WriteTest {
 protected:
  void StartWith(Kind kind, const DaxDevice::Capabilities& capabilities) {
    hooks_.capabilities = capabilities;
    ASSERT_NO_FATAL_FAILURE(MakeDevice(kind));
    device_ = std::make_shared<HookDevice>(OpenAgain(), hooks_);
    ASSERT_NO_FATAL_FAILURE(Mkfs());
    OpenIt();
  }
  void OpenIt() {
    Close();
    auto writer = Writer::Open(device_, {.system_uuid = system_uuid_,
                                         .lock_directory = Path("locks")});
    ASSERT_OK(writer);
    writer_ = *std::move(writer);
  }
  /// A server that has not let go of anything.
  std::unique_ptr<HostSession> Join() {
    auto joined = HostSession::Register(
        *OpenAgain(),
        {.host = Uuid::Random(), .boot = 77, .session = 1, .connection = 40});
    EXPECT_OK(joined);
    return joined.ok() ? *std::move(joined) : nullptr;
  }
  [[nodiscard]] absl::Status CheckStrips() const {
    return writer_->CheckPlacement({.strips = 2, .chunk = 2 * kMiB});
  }
  bool HasExtentAt(std::uint64_t offset) {
    const auto extents = device_->ListExtents();
    EXPECT_OK(extents);
    return std::any_of(
        extents->begin(), extents->end(),
        [offset](const Range& range) { return range.offset == offset; });
  }

  Hooks hooks_;
};

TEST_F(CapabilitiesTest, WhatPassesThroughIsOneExtent) {
  StartWith(Kind::kImage, {.can_pass_through = true});
  EXPECT_THAT(Say(CheckStrips()), HasSubstr("passed through is one extent"));
  const auto host = Join();
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().quarantined, 2 * kMiB) << "the host was asked";
}

TEST_F(CapabilitiesTest, WhatLivesOnWhenItIsRemovedWaitsForNobody) {
  StartWith(Kind::kImage, {.removed_extents_live_on = true});
  EXPECT_OK(CheckStrips());
  const auto host = Join();
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

TEST_F(CapabilitiesTest, WhatIsAllocatedIsComparedWithTheLog) {
  StartWith(Kind::kEmulated, {.allocates_extents = true});
  EXPECT_OK(CheckStrips());
  ASSERT_OK(device_->CreateExtent({kGiB, 2 * kMiB}));
  OpenIt();
  EXPECT_FALSE(HasExtentAt(kGiB)) << "no entry names it";
  const auto host = Join();
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  const std::uint64_t at =
      writer_->Tree()->FindPath("v1/data")->extents[0].offset;
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().quarantined, 2 * kMiB);
  EXPECT_TRUE(HasExtentAt(at)) << "the host was asked";
  ASSERT_OK(host->Acknowledge(1));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_FALSE(HasExtentAt(at));
}

}  // namespace
}  // namespace famfs
