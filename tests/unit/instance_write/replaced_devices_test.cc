// A further device that is made anew, or is away, while an instance is open.
#include <filesystem>

#include "devices_fixture.h"
#include "instance/devices/mapped_file.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class ReplacedDevicesTest : public DevicesTest,
                            public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    DevicesTest::SetUp();
    StartWith(GetParam(), 2);
    ASSERT_OK(CreateVolume("v1", 3 * kGiB));
    ASSERT_EQ(ExtentsOf("v1/data")[0].device_index, 1U);
  }
  /// Device 1 becomes a primary, with a volume of its own that fills it.
  void MakeAnew() {
    auto device = OpenDevice(others_[0], Access::kReadWrite);
    ASSERT_OK(device);
    MkfsOptions options = Options();
    options.force = true;
    options.force_in_use = true;
    options.lock_directory = Path("elsewhere");  // does not see the writer's
    ASSERT_OK(famfs::Mkfs(**device, options));
    auto writer = Writer::Open(
        std::shared_ptr<DaxDevice>(*std::move(device)),
        {.system_uuid = system_uuid_, .lock_directory = Path("elsewhere")});
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->CreateFile("theirs", kFreshFree, {}));
    const Reader::View tree = (*writer)->Tree();
    const auto mapped = MappedFile::Map(
        *(*writer)->devices(), *tree->FindPath("theirs"), Access::kReadWrite);
    ASSERT_OK(mapped);
    for (std::uint64_t at = 0; at < kFreshFree; at += kGiB / 8) {
      const MappedFile::Piece piece = mapped->At(at, 1);
      piece.mapping->mutable_data()[piece.at] = std::byte{0x5a};
    }
  }
  /// A file that is being made on device 1: there is room nowhere else.
  std::unique_ptr<PendingFile> BeginLate() {
    EXPECT_OK(CreateVolume("rest", kFreshFree));
    auto file = writer_->BeginFile("late", 4 * kMiB, {});
    EXPECT_OK(file);
    return file.ok() ? *std::move(file) : nullptr;
  }
  /// Nothing of it was touched.
  void ExpectTheirsWhole() {
    auto set = DeviceSet::Open(testing::Spec(others_[0]), {}, Access::kRead);
    ASSERT_OK(set);
    EXPECT_TRUE(famfs::Fsck(**set).findings.empty());
    const auto reader = Reader::Open(*set);
    ASSERT_OK(reader);
    const Reader::View tree = (*reader)->Tree();
    const auto mapped =
        MappedFile::Map(**set, *tree->FindPath("theirs"), Access::kRead);
    ASSERT_OK(mapped);
    for (std::uint64_t at = 0; at < kFreshFree; at += kGiB / 8) {
      const MappedFile::Piece piece = mapped->At(at, 1);
      EXPECT_EQ(piece.mapping->data()[piece.at], std::byte{0x5a}) << at;
    }
  }
};

TEST_P(ReplacedDevicesTest, NothingIsPlacedThereAnyMore) {
  MakeAnew();
  EXPECT_TRUE(
      absl::IsResourceExhausted(CreateVolume("v2", kFreshFree + kAllocUnit)));
  ASSERT_OK(CreateVolume("v3", kGiB));
  EXPECT_EQ(ExtentsOf("v3/data")[0].device_index, 0U);
  EXPECT_EQ(writer_->GetAvailableSpace()->total, kDeviceSize);
  ExpectTheirsWhole();
}

TEST_P(ReplacedDevicesTest, AWriterThatOnlyLooksNoticesIt) {
  EXPECT_EQ(writer_->Figures().size, 2 * kDeviceSize);
  MakeAnew();
  EXPECT_OK(writer_->CheckStanding());
  EXPECT_EQ(writer_->Figures().size, kDeviceSize);
  EXPECT_FALSE(writer_->stopped());
}

TEST_P(ReplacedDevicesTest, AFileThatWasBeingMadeThereIsNotPublished) {
  auto file = BeginLate();
  ASSERT_NE(file, nullptr);
  MakeAnew();
  const absl::Status status = file->Commit();
  EXPECT_TRUE(absl::IsUnavailable(status)) << Say(status);
  file.reset();
  EXPECT_EQ(writer_->Tree()->FindPath("late"), nullptr);
  ExpectTheirsWhole();
}

TEST_P(ReplacedDevicesTest, WhatWasDeletedThereIsNeitherZeroedNorRemoved) {
  ASSERT_OK(writer_->DeleteVolume("v1"));
  MakeAnew();
  EXPECT_OK(writer_->Reclaim());
  EXPECT_GT(writer_->Figures().entries, 1U);  // its space is not free
  ExpectTheirsWhole();
}

TEST_P(ReplacedDevicesTest, AReaderThatAsksForItIsTold) {
  auto set = Set(Access::kRead);
  const auto reader = Reader::Open(set);
  ASSERT_OK(reader);
  ASSERT_OK(set->At(1));
  EXPECT_TRUE(set->IsOurs(1));
  MakeAnew();
  EXPECT_FALSE(set->IsOurs(1));
  const auto at = set->At(1);
  EXPECT_TRUE(absl::IsUnavailable(at.status())) << Say(at);
  EXPECT_THAT(Say(at), HasSubstr("as its primary"));
  EXPECT_EQ(set->Find(1), nullptr);
}

TEST_P(ReplacedDevicesTest, OneThatWasAwayIsTakenUpAgainAsItWas) {
  auto file = BeginLate();
  ASSERT_NE(file, nullptr);
  std::filesystem::rename(Path("d1"), Path("away"));
  EXPECT_OK(writer_->CheckStanding());
  EXPECT_EQ(writer_->Figures().size, kDeviceSize);
  std::filesystem::rename(Path("away"), Path("d1"));
  EXPECT_OK(writer_->CheckStanding());
  EXPECT_EQ(writer_->Figures().size, 2 * kDeviceSize);
  // What was being made there is no leftover.
  EXPECT_OK(file->Commit());
  EXPECT_TRUE(writer_->MissingExtents().empty());
  EXPECT_EQ(ExtentsOf("late")[0].device_index, 1U);
  ASSERT_OK(CreateVolume("v2", kOtherFree - 3 * kGiB - 4 * kMiB));
  EXPECT_EQ(FsckAll(), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReplacedDevicesTest,
                         ::testing::Values(Kind::kEmulated, Kind::kImage),
                         [](const auto& kind) {
                           return kind.param == Kind::kEmulated ? "emulated"
                                                                : "image";
                         });

}  // namespace
}  // namespace famfs
