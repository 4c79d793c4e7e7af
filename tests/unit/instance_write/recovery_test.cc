// What opening does about what it finds.
#include <cstring>
#include <filesystem>
#include <fstream>

#include "dax/extent_files.h"
#include "fixture.h"
#include "instance/devices/metadata_store.h"
#include "instance/tree/new_entry.h"
#include "media/checksum.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RecoveryTest : public WriteTest {
 protected:
  Layout Lay() { return *Layout::Open(*device_, Access::kReadWrite); }
  [[nodiscard]] std::string ExtentPath(std::uint64_t offset) const {
    return Path("pool/extents/") + ExtentName(offset);
  }
  /// A file of the right name with `size` bytes, not made by a writer.
  void PlantExtent(std::uint64_t offset, std::uint64_t size) const {
    std::ofstream(ExtentPath(offset)).close();
    std::filesystem::resize_file(ExtentPath(offset), size);
  }
  Range ExtentOf(const std::string& path) {
    const Reader::View tree = writer_->Tree();
    const MediaExtent& extent = tree->FindPath(path)->extents[0];
    return {extent.offset, extent.length};
  }
};

TEST_F(RecoveryTest, ASequenceNumberThatIsAheadIsMended) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  Close();
  Lay().log().Store16(kLogCountersAt, 3, 2);
  Open();
  EXPECT_EQ(Lay().LoadLogHeader().next_seqnum, 2U);
  EXPECT_OK(CreateVolume("v2", kAllocUnit));
  EXPECT_EQ(Fsck(), "");
}

TEST_F(RecoveryTest, SlotsBeyondTheEndAreCleared) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  Close();
  const std::byte left{0x77};
  Lay().log().Store(EntryAt(2) + 100, std::span(&left, 1));
  Lay().log().Store(EntryAt(9000), std::span(&left, 1));
  EXPECT_NE(Fsck(), "");
  Open();
  EXPECT_EQ(Fsck(), "");
}

TEST_F(RecoveryTest, ABrokenEntryIsNamedAndNothingIsChanged) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  Close();
  const StateRecord before = **Lay().LoadState();
  const std::byte wrong{0x55};
  Lay().log().Store(EntryAt(1) + 30, std::span(&wrong, 1));
  const auto writer = TryOpen();
  EXPECT_TRUE(absl::IsDataLoss(writer.status())) << Say(writer);
  EXPECT_THAT(Say(writer), HasSubstr("entry 1: crc"));
  EXPECT_EQ(**Lay().LoadState(), before);
  EXPECT_EQ(device_->ListExtents()->size(), 3U);
}

TEST_F(RecoveryTest, ACompactingHeaderWithoutAnImageIsRefused) {
  Start(Kind::kEmulated);
  Close();
  {
    Layout layout = Lay();
    StoreCompactingHeader(layout.log());
  }
  const auto without_record = TryOpen();
  EXPECT_FALSE(without_record.ok());
  {
    Layout layout = Lay();
    StoreCompaction(layout.head(),
                    {.sequence = 1,
                     .generation = 1,
                     .offset = kDeviceSize - kMinLogLength,
                     .length = EntryAt(0),
                     .image_crc = 1},
                    layout.superblock().fs_uuid);
  }
  const auto without_image = TryOpen();
  EXPECT_TRUE(absl::IsDataLoss(without_image.status())) << Say(without_image);
  EXPECT_THAT(Say(without_image), HasSubstr("image"));
}

TEST_F(RecoveryTest, ALiveRecordBesideAValidHeaderIsCleared) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  Close();
  {
    Layout layout = Lay();
    StoreCompaction(layout.head(),
                    {.sequence = 1,
                     .generation = 1,
                     .offset = kGiB,
                     .length = 592,
                     .image_crc = 1},
                    layout.superblock().fs_uuid);
  }
  Open();
  EXPECT_THAT(Volumes(), ElementsAre("v1"));
  EXPECT_EQ((*Lay().LoadCompaction())->length, 0U);
  EXPECT_EQ((*Lay().LoadState())->generation, 1U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(RecoveryTest, ExtentsThatNoEntryNamesAreRemoved) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  Close();
  PlantExtent(kGiB, kAllocUnit);
  const std::string unfinished =
      Path("pool/extents/") + UnfinishedExtentName(2 * kGiB);
  std::ofstream(unfinished).close();
  Open();
  EXPECT_FALSE(std::filesystem::exists(ExtentPath(kGiB)));
  EXPECT_FALSE(std::filesystem::exists(unfinished));
  EXPECT_EQ(device_->ListExtents()->size(), 3U);
  EXPECT_TRUE(writer_->MissingExtents().empty());
}

TEST_F(RecoveryTest, MalformedExtentsAreLeftAlone) {
  Start(Kind::kEmulated);
  Close();
  PlantExtent(kGiB, 4096);
  Open();
  EXPECT_TRUE(std::filesystem::exists(ExtentPath(kGiB)));
}

TEST_F(RecoveryTest, AMissingExtentOfALiveFileIsTold) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  const Range extent = ExtentOf("v1/data");
  Close();
  ASSERT_OK(device_->RemoveExtent(extent.offset));
  Open();
  EXPECT_THAT(writer_->MissingExtents(),
              ElementsAre(MediaExtent{0, extent.offset, extent.length}));
  EXPECT_NE(Fsck(), "");
}

TEST_F(RecoveryTest, AnExtentOfAnotherLengthIsToldAndKept) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", 4 * kMiB));
  const Range extent = ExtentOf("v1/data");
  Close();
  std::filesystem::resize_file(ExtentPath(extent.offset), kAllocUnit);
  Open();
  EXPECT_THAT(writer_->MissingExtents(),
              ElementsAre(MediaExtent{0, extent.offset, extent.length}));
  EXPECT_TRUE(std::filesystem::exists(ExtentPath(extent.offset)));
}

TEST_F(RecoveryTest, DeadEntriesAreCompactedWhenAnEmulatedDeviceIsOpened) {
  Start(Kind::kEmulated);
  ASSERT_OK(CreateVolume("v1", kAllocUnit));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  Reopen();
  EXPECT_EQ(writer_->Figures().entries, 0U);
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
}

TEST_F(RecoveryTest, AnUpstreamLogWithARepeatedDirectoryIsAccepted) {
  MakeDevice(Kind::kEmulated);
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  AppendRaw({NewMkdirEntry("a", {}), NewMkdirEntry("a", {}),
             NewMkdirEntry("a/b", {})});
  Open();
  EXPECT_EQ(writer_->Figures().entries, 2U);
  EXPECT_NE(writer_->Tree()->FindPath("a/b"), nullptr);
}

TEST_F(RecoveryTest, TheExtentOfADamagedEntryIsKept) {
  Start(Kind::kEmulated);
  ASSERT_OK(writer_->CreateFile("f", kAllocUnit, Ownership{}));
  ASSERT_OK(writer_->CreateFile("g", kAllocUnit, Ownership{}));
  const Range extent = ExtentOf("f");
  Close();
  const std::byte junk{0x77};
  Lay().log().Store(EntryAt(0) + 45, std::span(&junk, 1));
  EXPECT_TRUE(absl::IsDataLoss(TryOpen().status()));
  EXPECT_TRUE(std::filesystem::exists(ExtentPath(extent.offset)));
  EXPECT_THAT(Fsck(), HasSubstr("error: unnamed: "));
}

TEST_F(RecoveryTest, ALogDamagedUnderALiveWriterIsNotCompacted) {
  Start(Kind::kEmulated);
  for (const char* const name : {"v1", "v2", "v3"}) {
    ASSERT_OK(CreateVolume(name, kAllocUnit));
  }
  ASSERT_OK(writer_->DeleteVolume("v3"));
  const std::byte junk{0x77};
  Lay().log().Store(EntryAt(1) + 45, std::span(&junk, 1));
  const MediaEntry before = Lay().LoadEntry(1);
  const absl::Status compacted = writer_->Compact();
  EXPECT_TRUE(absl::IsDataLoss(compacted)) << Say(compacted);
  EXPECT_THAT(Say(compacted), HasSubstr("entry 1 of the log is damaged"));
  // An image would have given it a checksum that fits.
  const MediaEntry after = Lay().LoadEntry(1);
  EXPECT_EQ(std::memcmp(&before, &after, sizeof(before)), 0);
  EXPECT_THAT(Fsck(), HasSubstr("entry 1: crc"));
}

}  // namespace
}  // namespace famfs
