// A full log and a full device: what fits is exact, and deleting always works.
#include "fixture.h"
#include "instance/tree/new_entry.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FullTest : public WriteTest {
 protected:
  /// Makes directories until the log takes no more; says why it stopped.
  absl::Status FillLog() {
    for (int i = 0;; ++i) {
      const absl::Status status = writer_->Mkdir(fmt::format("d{}", i), {});
      if (!status.ok()) return status;
    }
  }
};

TEST_F(FullTest, AFullLogSaysItsFiguresAndKeepsSlotsForDeletions) {
  Start(Kind::kImage);
  for (int i = 0; i < 65; ++i)
    ASSERT_OK(CreateVolume(fmt::format("v{}", i), kAllocUnit));
  const absl::Status full = FillLog();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << Say(full);
  EXPECT_THAT(Say(full), HasSubstr("15356 of 15420 slots"));
  const auto capacity = writer_->GetAvailableSpace();
  ASSERT_OK(capacity);
  EXPECT_EQ(capacity->largest, 0U);
  EXPECT_TRUE(absl::IsResourceExhausted(CreateVolume("w", kAllocUnit)));
  for (int i = 0; i < 64; ++i) {
    ASSERT_OK(writer_->DeleteVolume(fmt::format("v{}", i)));
  }
  EXPECT_EQ(writer_->Figures().entries, 15420U);
  // With all slots used, deleting gives those of the dead volumes back first.
  ASSERT_OK(writer_->DeleteVolume("v64"));
  EXPECT_EQ(writer_->Figures().entries, 15420U - 3 * 64 + 1);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FullTest, AFullLogIsCompactedWhenThatHelps) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  EXPECT_TRUE(absl::IsResourceExhausted(FillLog()));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  // Its three entries make room for two.
  ASSERT_OK(CreateVolume("v2", kAllocUnit));
  EXPECT_TRUE(absl::IsResourceExhausted(CreateVolume("v3", kAllocUnit)));
  Reopen();
  EXPECT_EQ(Volumes().size(), 1U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FullTest, DeletingGoesOnBeyondTheReservedSlots) {
  Start(Kind::kEmulated);
  for (int i = 0; i < 70; ++i)
    ASSERT_OK(CreateVolume(fmt::format("v{}", i), kAllocUnit));
  EXPECT_TRUE(absl::IsResourceExhausted(FillLog()));
  for (int i = 0; i < 70; ++i) {
    ASSERT_OK(writer_->DeleteVolume(fmt::format("v{}", i)));
  }
  EXPECT_THAT(Volumes(), IsEmpty());
}

TEST_F(FullTest, CapacityIsExact) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 6 * kMiB));
  ASSERT_OK(CreateVolume("v2", kAllocUnit));
  const auto before = writer_->GetAvailableSpace();
  ASSERT_OK(before);
  EXPECT_EQ(before->total, kDeviceSize);
  EXPECT_EQ(before->free, kFreshFree - 8 * kMiB);
  const absl::Status more = CreateVolume("v3", before->largest + kAllocUnit);
  EXPECT_TRUE(absl::IsResourceExhausted(more)) << Say(more);
  ASSERT_OK(CreateVolume("v3", before->largest));
  const auto after = writer_->GetAvailableSpace();
  ASSERT_OK(after);
  EXPECT_EQ(after->free, before->free - before->largest);
  EXPECT_TRUE(absl::IsResourceExhausted(CreateVolume("v4", kAllocUnit)));
  EXPECT_TRUE(absl::IsResourceExhausted(CreateVolume("v4", 1ULL << 62)));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FullTest, SpaceThatACompactionFreesCounts) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kFreshFree));
  EXPECT_EQ(writer_->GetAvailableSpace()->largest, 0U);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_EQ(writer_->GetAvailableSpace()->largest, kFreshFree);
  ASSERT_OK(CreateVolume("v2", kFreshFree));
  ASSERT_OK(writer_->DeleteVolume("v2"));
  // Without asking for the capacity first, too.
  ASSERT_OK(CreateVolume("v3", kFreshFree));
}

TEST_F(FullTest, WithoutAReserveADeadExtentTakesTheImage) {
  MakeDevice(Kind::kEmulated);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  // Another program left nothing free, not even for our reserve.
  const Range all{kLogOffset + kMinLogLength,
                  kDeviceSize - kLogOffset - kMinLogLength};
  ASSERT_OK(device_->CreateExtent(all));
  AppendRaw({VolumeEntry("v1", Attributes("pvc", all.length)),
             NewFileEntry("v1/data", all.length, 0,
                          std::array{MediaExtent{0, all.offset, all.length}},
                          {.mode = 0644})});
  Open();
  EXPECT_EQ(writer_->Figures().free, 0U);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_EQ(writer_->GetAvailableSpace()->largest, kFreshFree);
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FullTest, OldRevisionsAreDroppedAndDeadVolumesStayOnAnImage) {
  MakeDevice(Kind::kImage);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  const auto revision = [](std::uint32_t number, VolumeState state) {
    VolumeAttributes attributes = Attributes("pvc", kAllocUnit);
    attributes.revision = number;
    attributes.state = state;
    attributes.deletion_number = state == VolumeState::kDeleted ? 41 : 0;
    return VolumeEntry("v1", attributes);
  };
  const Range extent{kLogOffset + kMinLogLength, kAllocUnit};
  AppendRaw(
      {NewMkdirEntry("a", {}), revision(1, VolumeState::kLive),
       NewFileEntry("v1/data", kAllocUnit, 0,
                    std::array{MediaExtent{0, extent.offset, extent.length}},
                    {.mode = 0644}),
       NewMkdirEntry("a", {}), revision(2, VolumeState::kSealed),
       NewMkdirEntry("a/b", {}), revision(3, VolumeState::kDeleted)});
  Open();
  EXPECT_EQ(writer_->Figures().pending, kAllocUnit);
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().entries, 5U);
  EXPECT_EQ(writer_->Figures().pending, kAllocUnit);
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kAllocUnit);
  EXPECT_EQ(Fsck(), "");
  Reopen();
  EXPECT_EQ(writer_->Figures().pending, kAllocUnit);
  EXPECT_NE(writer_->Tree()->FindPath("a/b"), nullptr);
  // The next number follows the one that the log has, though the state line did
  // not know of it.
  ASSERT_OK(CreateVolume("v2", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v2"));
  const auto layout = Layout::Open(*device_, Access::kRead);
  EXPECT_EQ((*layout->LoadState())->last_deletion, 42U);
}

}  // namespace
}  // namespace famfs
