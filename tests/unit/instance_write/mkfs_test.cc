#include "instance/check/mkfs.h"

#include <algorithm>

#include "fixture.h"
#include "instance/devices/secondary.h"
#include "instance/devices/unfinished.h"
#include "instance/log/layout.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class MkfsTest : public WriteTest {
 protected:
  void Poke(std::uint64_t offset, std::uint8_t byte) {
    const auto mapping = device_->Map(offset / kAllocUnit * kAllocUnit,
                                      kAllocUnit, Access::kReadWrite);
    ASSERT_OK(mapping);
    (*mapping)->mutable_data()[offset % kAllocUnit] = std::byte{byte};
  }
  [[nodiscard]] bool Exists(std::uint64_t offset) {
    const auto extents = device_->ListExtents();
    return std::any_of(extents->begin(), extents->end(),
                       [=](const Range& e) { return e.offset == offset; });
  }
};

TEST_F(MkfsTest, ADeviceBelowFourGiBIsTooSmall) {
  MakeDevice(Kind::kImage, kDeviceSize - kAllocUnit);
  const absl::Status status = famfs::Mkfs(*device_, Options());
  EXPECT_TRUE(absl::IsOutOfRange(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr("4.00 GiB"));
}

TEST_F(MkfsTest, ALogLengthIsAPowerOfTwoOfAtLeastEightMiB) {
  MakeDevice(Kind::kImage);
  for (const std::uint64_t length : {4 * kMiB, 12 * kMiB, std::uint64_t{0}}) {
    MkfsOptions options = Options();
    options.log_length = length;
    EXPECT_TRUE(absl::IsInvalidArgument(famfs::Mkfs(*device_, options)))
        << length;
  }
}

TEST_F(MkfsTest, ALongerLogHasMoreSlots) {
  MakeDevice(Kind::kEmulated);
  MkfsOptions options = Options();
  options.log_length = 16 * kMiB;
  ASSERT_OK(famfs::Mkfs(*device_, options));
  Open();
  EXPECT_EQ(writer_->Figures().slots, 30840U);
  EXPECT_EQ(writer_->Figures().free, kDeviceSize - 34 * kMiB);
}

TEST_F(MkfsTest, TheDefaultLogGrowsWithTheDevices) {
  MakeDevice(Kind::kImage, 8 * kGiB);
  ASSERT_OK(famfs::Mkfs(*device_, Options()));
  Open();
  EXPECT_EQ(writer_->superblock().log_length, 16 * kMiB);
  Close();
  MkfsOptions options = Options();
  options.force = true;
  options.further_bytes = 60 * kGiB;
  ASSERT_OK(famfs::Mkfs(*device_, options));
  Open();
  EXPECT_EQ(writer_->superblock().log_length, 128 * kMiB);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(MkfsTest, AnExistingFileSystemIsKeptWithoutForce) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  Close();
  const absl::Status status = famfs::Mkfs(*device_, Options());
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr(system_uuid_.ToString()));
  Open();
  EXPECT_EQ(Volumes().size(), 1U);
}

TEST_F(MkfsTest, AForeignFileSystemIsTakenWithForce) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  Close();
  system_uuid_ = Uuid::Random();
  MkfsOptions options = Options();
  EXPECT_TRUE(absl::IsAlreadyExists(famfs::Mkfs(*device_, options)));
  options.force = true;
  ASSERT_OK(famfs::Mkfs(*device_, options));
  Open();
  EXPECT_TRUE(Volumes().empty());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(device_->ListExtents()->size(), 2U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(MkfsTest, ForceIsRefusedWhileAWriterHasItOpen) {
  Start(Kind::kEmulated);
  MkfsOptions options = Options();
  options.force = true;
  const absl::Status status = famfs::Mkfs(*device_, options);
  EXPECT_TRUE(absl::IsUnavailable(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr(fmt::format("pid {}", ::getpid())));
}

TEST_F(MkfsTest, ForceMakesALogOfAnotherLength) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 2 * kMiB));
  Close();
  MkfsOptions options = Options();
  options.force = true;
  options.log_length = 16 * kMiB;
  ASSERT_OK(famfs::Mkfs(*device_, options));
  Open();
  EXPECT_EQ(writer_->Figures().slots, 30840U);
  EXPECT_FALSE(Exists(kLogOffset + kMinLogLength));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(MkfsTest, ExtentsWithoutASuperblockAreKeptWithoutForce) {
  MakeDevice(Kind::kEmulated);
  ASSERT_OK(device_->CreateExtent({kGiB, kAllocUnit}));
  const absl::Status status = famfs::Mkfs(*device_, Options());
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr("--force"));
  EXPECT_TRUE(Exists(kGiB));
}

TEST_F(MkfsTest, FilesThatGrowGoWithTheirInstance) {
  Start(Kind::kEmulated);
  const std::string name = "v1.00000000000000a1";
  ASSERT_OK(device_->CreateNodeFile(name));
  ASSERT_OK(device_->OpenNodeFile(name, Access::kReadWrite));  // pins it
  Close();
  EXPECT_TRUE(absl::IsAlreadyExists(famfs::Mkfs(*device_, Options())));
  EXPECT_EQ(device_->ListNodeFiles()->size(), 1U);
  MkfsOptions options = Options();
  options.force = true;
  ASSERT_OK(famfs::Mkfs(*device_, options));
  EXPECT_TRUE(device_->ListNodeFiles()->empty());
  Open();
  EXPECT_EQ(Fsck(), "");
}

TEST_F(MkfsTest, FilesThatGrowAreKeptWithoutASuperblockAndWithoutForce) {
  MakeDevice(Kind::kEmulated);
  ASSERT_OK(device_->CreateNodeFile("v1.00000000000000a1"));
  const absl::Status status = famfs::Mkfs(*device_, Options());
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr("v1.00000000000000a1"));
  EXPECT_THAT(Say(status), HasSubstr("--force"));
  EXPECT_FALSE(IsNobodys(*device_).value_or(true));
  EXPECT_FALSE(IsBlankDevice(*device_).value_or(true));
  ASSERT_OK(MarkUnfinished(*device_));
  EXPECT_TRUE(device_->ListNodeFiles()->empty());
  EXPECT_TRUE(IsNobodys(*device_).value_or(false));
  EXPECT_TRUE(IsBlankDevice(*device_).value_or(false));
}

TEST_F(MkfsTest, WhatAnEarlierLifeLeftInTheFixedPartIsCleared) {
  MakeDevice(Kind::kImage);
  Poke(300, 0xff);                            // beside the superblock
  Poke(kRegionOffset + kCompactionAt, 0x46);  // in our region
  Poke(kLogOffset + EntryAt(7) + 3, 0xff);    // in the log
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  EXPECT_EQ(Fsck(), "");
  const auto head = Bytes(0, kSuperblockRegion);
  EXPECT_EQ(head[300], std::byte{0});
  EXPECT_EQ(head[kRegionOffset + kCompactionAt], std::byte{0});
  EXPECT_EQ(Bytes(kLogOffset, kMinLogLength)[EntryAt(7) + 3], std::byte{0});
}

TEST_F(MkfsTest, TheStateLineIsSet) {
  MakeDevice(Kind::kImage);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  const auto layout = Layout::Open(*device_, Access::kRead);
  ASSERT_OK(layout);
  const auto state = layout->LoadState();
  ASSERT_OK(state);
  ASSERT_TRUE(state->has_value());
  EXPECT_EQ((*state)->generation, 0U);
  EXPECT_EQ((*state)->writer_epoch, 1U);
  EXPECT_EQ((*state)->writer_host, system_uuid_);
}

TEST_F(MkfsTest, AnInterruptedMkfsNeedsNoForce) {
  MakeDevice(Kind::kEmulated);
  // As a crash leaves it: the fixed extents are there, the magic is not.
  ASSERT_OK(device_->CreateExtent({0, kSuperblockRegion}));
  ASSERT_OK(device_->CreateExtent({kLogOffset, kMinLogLength}));
  EXPECT_OK(famfs::Mkfs(*device_, Options()));
}

}  // namespace
}  // namespace famfs
