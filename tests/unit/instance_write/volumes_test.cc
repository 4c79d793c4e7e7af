// Volumes: made, deleted, compacted, made again.
#include <algorithm>
#include <cstring>

#include "fixture.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VolumesTest : public WriteTest {
 protected:
  std::unique_ptr<Mapping> MapData(const std::string& volume) {
    MediaExtent extent;
    {
      const Reader::View tree = writer_->Tree();
      extent = tree->FindPath(volume + "/data")->extents[0];
    }
    auto mapping =
        device_->Map(extent.offset, extent.length, Access::kReadWrite);
    EXPECT_OK(mapping);
    return mapping.ok() ? *std::move(mapping) : nullptr;
  }
  std::uint64_t OffsetOf(const std::string& volume) {
    const Reader::View tree = writer_->Tree();
    return tree->FindPath(volume + "/data")->extents[0].offset;
  }
};

TEST_F(VolumesTest, AVolumeSurvivesAReopen) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 4 * kMiB));
  Reopen();
  EXPECT_THAT(Volumes(), ElementsAre("v1"));
  {
    const Reader::View tree = writer_->Tree();
    const Node* file = tree->FindPath("v1/data");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->size, 4 * kMiB);
    EXPECT_EQ(file->owner.mode, 0660U);
    EXPECT_EQ(tree->FindPath("v1")->owner.mode, 0770U);
    EXPECT_EQ(*tree->FindPath("v1")->volume, Attributes("pvc-v1", 4 * kMiB));
    EXPECT_EQ(tree->FindVolume("pvc-v1", VolumeKind::kVolume),
              tree->FindPath("v1"));
  }
  EXPECT_EQ(writer_->Figures().free, kFreshFree - 4 * kMiB);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(VolumesTest, AReaderBesideTheWriterSeesBothEntriesTogether) {
  Start(Kind::kEmulated);
  const auto reader = Reader::Open(OpenAgain(Access::kRead));
  ASSERT_OK(reader);
  ASSERT_OK(CreateVolume("v1", 4 * kMiB));
  const auto changes = (*reader)->Refresh();
  ASSERT_OK(changes);
  EXPECT_EQ(changes->size(), 2U);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  ASSERT_OK((*reader)->Refresh());
  EXPECT_THAT((*reader)->Tree()->volumes(), IsEmpty());
}

TEST_F(VolumesTest, ATreeVolumeIsADirectoryAlone) {
  Start(Kind::kEmulated);
  VolumeAttributes attributes = Attributes("tree", 4 * kMiB);
  attributes.layout = VolumeLayout::kTree;
  ASSERT_OK(writer_->CreateVolume("t1", attributes, {}));
  EXPECT_EQ(writer_->Figures().entries, 1U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

TEST_F(VolumesTest, WhatIsNoNewVolumeIsRefused) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  const auto create = [&](const std::string& directory,
                          const VolumeAttributes& attributes) {
    return writer_->CreateVolume(directory, attributes, {});
  };
  const VolumeAttributes good = Attributes("other", kAllocUnit);
  EXPECT_TRUE(absl::IsAlreadyExists(create("v1", good)));
  EXPECT_TRUE(
      absl::IsAlreadyExists(create("v2", Attributes("pvc-v1", kAllocUnit))));
  EXPECT_TRUE(absl::IsInvalidArgument(create("a/b", good)));
  EXPECT_TRUE(absl::IsInvalidArgument(create("", good)));
  EXPECT_TRUE(absl::IsInvalidArgument(create("..", good)));
  EXPECT_TRUE(absl::IsInvalidArgument(create(std::string(74, 'v'), good)));
  VolumeAttributes odd = good;
  odd.capacity = kAllocUnit + 1;
  EXPECT_TRUE(absl::IsInvalidArgument(create("v2", odd)));
  VolumeAttributes dead = good;
  dead.state = VolumeState::kDeleted;
  EXPECT_TRUE(absl::IsInvalidArgument(create("v2", dead)));
  VolumeAttributes wide = good;
  wide.interleave_strips = 2;
  wide.interleave_chunk = kAllocUnit;
  EXPECT_TRUE(absl::IsInvalidArgument(create("v2", wide)));
  EXPECT_EQ(writer_->Figures().entries, 2U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree - kAllocUnit);
  EXPECT_OK(create(std::string(73, 'v'), good));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(VolumesTest, ADeletedVolumeGivesItsSpaceBackOnAnEmulatedDevice) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 4 * kMiB));
  ASSERT_OK(CreateVolume("v2", 2 * kMiB));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_THAT(Volumes(), ElementsAre("v2"));
  EXPECT_EQ(writer_->Figures().pending, 4 * kMiB);
  EXPECT_EQ(Fsck(), "");
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree - 2 * kMiB);
  EXPECT_EQ(writer_->Figures().entries, 2U);
  EXPECT_EQ(Fsck(), "");
  Reopen();
  EXPECT_THAT(Volumes(), ElementsAre("v2"));
  EXPECT_EQ(writer_->Figures().free, kFreshFree - 2 * kMiB);
}

TEST_F(VolumesTest, OnlyALiveVolumeCanBeDeletedAndOnlyOnce) {
  Start(Kind::kEmulated);
  EXPECT_TRUE(absl::IsNotFound(writer_->DeleteVolume("none")));
  ASSERT_OK(writer_->Mkdir("plain", {}));
  EXPECT_TRUE(absl::IsNotFound(writer_->DeleteVolume("plain")));
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_TRUE(absl::IsNotFound(writer_->DeleteVolume("v1")));
  EXPECT_TRUE(absl::IsAlreadyExists(CreateVolume("v1", kAllocUnit)));
}

TEST_F(VolumesTest, TheNameOfADeletedVolumeIsFreeAtOnce) {
  Start(Kind::kImage);
  ASSERT_OK(writer_->CreateVolume("v1", Attributes("claim", kAllocUnit), {}));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  EXPECT_OK(writer_->CreateVolume("v2", Attributes("claim", kAllocUnit), {}));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(VolumesTest, OnAnImageDeletedSpaceStaysPending) {
  Start(Kind::kImage);
  ASSERT_OK(CreateVolume("v1", 4 * kMiB));
  ASSERT_OK(CreateVolume("v2", 2 * kMiB));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  const auto capacity = writer_->GetAvailableSpace();
  ASSERT_OK(capacity);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(writer_->Figures().pending, 4 * kMiB);
    EXPECT_EQ(writer_->Figures().free, kFreshFree - 6 * kMiB);
    EXPECT_EQ(writer_->Figures().entries, 5U);
    EXPECT_EQ(capacity->free, kFreshFree - 6 * kMiB);
    EXPECT_THAT(Volumes(), ElementsAre("v2"));
    Reopen();
  }
  EXPECT_EQ(Fsck(), "");
}

TEST_F(VolumesTest, AnOldMappingKeepsItsBytesAndTheNewVolumeIsZero) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  const std::uint64_t offset = OffsetOf("v1");
  const auto old_mapping = MapData("v1");
  ASSERT_NE(old_mapping, nullptr);
  std::memset(old_mapping->mutable_data(), 0xab, kAllocUnit);
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  ASSERT_OK(CreateVolume("v2", kAllocUnit));
  ASSERT_EQ(OffsetOf("v2"), offset) << "the space was to be used again";
  const auto new_mapping = MapData("v2");
  ASSERT_NE(new_mapping, nullptr);
  const auto all = [](const Mapping& mapping, int value) {
    const auto bytes = mapping.bytes();
    return std::all_of(bytes.begin(), bytes.end(),
                       [=](std::byte b) { return b == std::byte(value); });
  };
  EXPECT_TRUE(all(*new_mapping, 0));
  std::memset(new_mapping->mutable_data(), 0xcd, kAllocUnit);
  EXPECT_TRUE(all(*old_mapping, 0xab));
}

TEST_F(VolumesTest, ParentsStayBeforeTheirChildrenInACompactedLog) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("dead", kAllocUnit));
  ASSERT_OK(writer_->Mkdir("a", {}));
  ASSERT_OK(writer_->DeleteVolume("dead"));
  ASSERT_OK(writer_->Mkdir("a/b", {}));
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->CreateFile("a/b/f", 1, {}));
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().entries, 5U);
  EXPECT_EQ(Fsck(), "");
  ASSERT_OK(CreateVolume("v2", kAllocUnit));
  Reopen();
  EXPECT_THAT(Volumes(), ElementsAre("v1", "v2"));
  EXPECT_NE(writer_->Tree()->FindPath("a/b/f"), nullptr);
}

TEST_F(VolumesTest, DeletionNumbersGrowAlsoOverACompactionAndAReopen) {
  Start(Kind::kEmulated);
  for (int i = 1; i <= 3; ++i) {
    const std::string name = fmt::format("v{}", i);
    ASSERT_OK(CreateVolume(name, kAllocUnit));
    ASSERT_OK(writer_->DeleteVolume(name));
    ASSERT_OK(writer_->Compact());
    Reopen();
    const auto layout = Layout::Open(*device_, Access::kRead);
    ASSERT_OK(layout);
    EXPECT_EQ((*layout->LoadState())->last_deletion,
              static_cast<std::uint64_t>(i));
    EXPECT_EQ((*layout->LoadState())->generation,
              static_cast<std::uint64_t>(i));
  }
}

TEST_F(VolumesTest, ACompactionWithNothingToDropChangesNothing) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  const auto before = Layout::Open(*device_, Access::kRead);
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ((*before->LoadState())->generation, 0U);
}

TEST_F(VolumesTest, AllVolumesDeletedLeaveAnEmptyLog) {
  Start(Kind::kEmulated);
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(CreateVolume(fmt::format("v{}", i), kAllocUnit));
  }
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(writer_->DeleteVolume(fmt::format("v{}", i)));
  }
  ASSERT_OK(writer_->Compact());
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(device_->ListExtents()->size(), 2U);
  EXPECT_EQ(Fsck(), "");
}

}  // namespace
}  // namespace famfs
