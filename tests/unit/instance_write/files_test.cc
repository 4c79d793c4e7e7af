// Directories and files made by hand.
#include <cstring>

#include "fixture.h"
#include "instance/log/layout.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

constexpr Ownership kOwner{.uid = 7, .gid = 8, .mode = 0750};

class FilesTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    Start(Kind::kEmulated);
  }
};

TEST_F(FilesTest, ADirectoryAndAFileAreThereAtOnceAndAfterAReopen) {
  ASSERT_OK(writer_->Mkdir("a", kOwner));
  ASSERT_OK(writer_->CreateFile("a/f", 3, kOwner));
  for (int round = 0; round < 2; ++round) {
    {
      const Reader::View tree = writer_->Tree();
      const Node* file = tree->FindPath("a/f");
      ASSERT_NE(file, nullptr);
      EXPECT_EQ(file->size, 3U);
      EXPECT_EQ(file->owner, kOwner);
      ASSERT_EQ(file->extents.size(), 1U);
      EXPECT_EQ(file->extents[0].length, kAllocUnit);
    }
    Reopen();
  }
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FilesTest, WhatCannotBeMadeIsRefusedWithItsReason) {
  ASSERT_OK(writer_->Mkdir("a", kOwner));
  ASSERT_OK(writer_->CreateFile("a/f", 1, kOwner));
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  struct Case {
    const char* path;
    absl::StatusCode code;
  };
  const Case cases[] = {
      {"", absl::StatusCode::kInvalidArgument},
      {"/a", absl::StatusCode::kInvalidArgument},
      {"a/../b", absl::StatusCode::kInvalidArgument},
      {"a//b", absl::StatusCode::kInvalidArgument},
      {"a", absl::StatusCode::kAlreadyExists},
      {"a/f", absl::StatusCode::kAlreadyExists},
      {"a/f/g", absl::StatusCode::kFailedPrecondition},
      {"none/b", absl::StatusCode::kNotFound},
      {"v1/x", absl::StatusCode::kPermissionDenied},
      {".meta/x", absl::StatusCode::kPermissionDenied},
      {".meta", absl::StatusCode::kAlreadyExists},
  };
  const PoolFigures before = writer_->Figures();
  for (const Case& c : cases) {
    EXPECT_EQ(writer_->Mkdir(c.path, kOwner).code(), c.code) << c.path;
    EXPECT_EQ(writer_->CreateFile(c.path, 1, kOwner).code(), c.code) << c.path;
    EXPECT_EQ(writer_->BeginFile(c.path, 1, kOwner).status().code(), c.code)
        << c.path;
  }
  EXPECT_EQ(writer_->Figures().free, before.free);
  EXPECT_EQ(writer_->Figures().entries, before.entries);
  const std::string long_path(kMaxPathLength + 1, 'x');
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->Mkdir(long_path, kOwner)));
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->CreateFile("e", 0, kOwner)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      writer_->Mkdir("m", {.uid = 0, .gid = 0, .mode = 0100755})));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FilesTest, APathOfADeletedVolumeIsRefusedUntilACompaction) {
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  const absl::Status status = writer_->Mkdir("v1", kOwner);
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << Say(status);
  EXPECT_THAT(Say(status), HasSubstr("deleted"));
  ASSERT_OK(writer_->Compact());
  EXPECT_OK(writer_->Mkdir("v1", kOwner));
}

TEST_F(FilesTest, ACommittedFileHasItsBytes) {
  {
    auto file = writer_->BeginFile("f", 5, kOwner);
    ASSERT_OK(file);
    EXPECT_EQ((*file)->At(0).size(), 5U);
    std::memcpy((*file)->At(0).data(), "hello", 5);
    EXPECT_EQ(writer_->Tree()->FindPath("f"), nullptr);
    ASSERT_OK((*file)->Commit());
    EXPECT_TRUE(absl::IsFailedPrecondition((*file)->Commit()));
  }
  Reopen();
  const MediaExtent extent = writer_->Tree()->FindPath("f")->extents[0];
  const auto mapping =
      device_->Map(extent.offset, extent.length, Access::kRead);
  ASSERT_OK(mapping);
  EXPECT_EQ(std::memcmp((*mapping)->data(), "hello", 5), 0);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(FilesTest, AnAbortedFileGivesPathAndSpaceBack) {
  {
    auto file = writer_->BeginFile("f", 6 * kMiB, kOwner);
    ASSERT_OK(file);
    EXPECT_EQ(writer_->Figures().free, kFreshFree - 6 * kMiB);
    const absl::Status other = writer_->CreateFile("f", 1, kOwner);
    EXPECT_TRUE(absl::IsAborted(other)) << Say(other);
  }
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_EQ(Fsck(), "");
  EXPECT_OK(writer_->CreateFile("f", 1, kOwner));
}

TEST_F(FilesTest, APendingFileSurvivesACompaction) {
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  auto file = writer_->BeginFile("f", 5, kOwner);
  ASSERT_OK(file);
  std::memcpy((*file)->At(0).data(), "hello", 5);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  ASSERT_OK((*file)->Commit());
  file->reset();
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kAllocUnit);
  EXPECT_EQ(Fsck(), "");
  Reopen();
  EXPECT_NE(writer_->Tree()->FindPath("f"), nullptr);
}

TEST_F(FilesTest, ABlockedPlaceIsToldAndTheNextAttemptGoesElsewhere) {
  // Made behind the writer's back where its next extent goes.
  ASSERT_OK(device_->CreateExtent({kLogOffset + kMinLogLength, kAllocUnit}));
  EXPECT_TRUE(absl::IsInternal(writer_->CreateFile("f", 1, kOwner)));
  EXPECT_OK(writer_->CreateFile("f", 1, kOwner));
}

TEST_F(FilesTest, NothingIsPublishedWithoutItsWholeBatch) {
  // The name is too long for the attributes: no directory either.
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->CreateVolume(
      "v1", Attributes(std::string(200, 'n'), kAllocUnit), kOwner)));
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

TEST_F(FilesTest, EntriesBeforeTheCountersAreNotVisible) {
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  Close();
  {
    // As a crash before the 16-byte store leaves it: both entries written, the
    // counters as they were.
    auto layout = Layout::Open(*device_, Access::kReadWrite);
    ASSERT_OK(layout);
    layout->log().Store16(kLogCountersAt, 0, 0);
  }
  Open();
  EXPECT_TRUE(Volumes().empty());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(device_->ListExtents()->size(), 2U);
  EXPECT_EQ(Fsck(), "");
  EXPECT_OK(CreateVolume("v1", kAllocUnit));
}

}  // namespace
}  // namespace famfs
