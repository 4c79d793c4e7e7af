#include "instance/check/fsck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "../media/golden.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FsckTest : public ::testing::Test {
 protected:
  std::vector<std::string> Fsck(DaxDevice& device) {
    report_ = famfs::Fsck(device);
    std::vector<std::string> lines;
    for (const Finding& finding : report_.findings) {
      lines.push_back(finding.ToString());
    }
    return lines;
  }
  std::vector<std::string> Fsck() { return Fsck(*image_.Open()); }

  RawImage image_;
  FsckReport report_;
};

TEST_F(FsckTest, AFreshInstanceIsClean) {
  EXPECT_THAT(Fsck(), IsEmpty());
  EXPECT_TRUE(report_.have_superblock);
  EXPECT_EQ(report_.slots, 15420U);
  EXPECT_EQ(report_.used_bytes, kImageData);
  EXPECT_EQ(report_.free_bytes, kImageSize - kImageData);
}

TEST_F(FsckTest, AGoodInstanceIsCountedAndClean) {
  image_.SetState(State(0, 1));
  image_.Append(VolumeEntry("v", Attributes("pvc")));
  image_.Append(FileEntry("v/data", {Unit(0)}));
  image_.Append(MkdirEntry("d"));
  EXPECT_THAT(Fsck(), IsEmpty());
  EXPECT_EQ(report_.entries, 3U);
  EXPECT_EQ(report_.files, 1U);
  EXPECT_EQ(report_.directories, 2U);
  EXPECT_EQ(report_.volumes, 1U);
  EXPECT_EQ(report_.used_bytes, kImageData + kAllocUnit);
}

TEST_F(FsckTest, UpstreamsGoldenImagesAreClean) {
  for (const char* name : {"fresh-8m", "three-entries"}) {
    image_.Write(0, GoldenImage(name));
    EXPECT_THAT(Fsck(), IsEmpty()) << name;
  }
  EXPECT_EQ(report_.files, 2U);
  EXPECT_EQ(report_.directories, 1U);
}

TEST_F(FsckTest, ABlankDeviceHasNoSuperblock) {
  image_.Truncate(0);
  image_.Truncate(kImageSize);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("superblock: no famfs")));
  EXPECT_FALSE(report_.have_superblock);
}

TEST_F(FsckTest, EveryLengthOfATruncatedImageIsToldAndSurvived) {
  image_.Append(MkdirEntry("a"));
  for (const std::uint64_t size :
       {std::uint64_t{1}, std::uint64_t{199}, std::uint64_t{200},
        std::uint64_t{4096}, kRegionOffset, kRegionOffset + 64, kLogOffset,
        kLogOffset + 47, kLogOffset + 600, kImageData - 1, kImageData,
        kImageSize - 1}) {
    image_.Truncate(size);
    EXPECT_THAT(Fsck(), Contains(HasSubstr("error: superblock: "))) << size;
    image_.Truncate(kImageSize);
    if (size < kImageData) break;  // what was cut off is zero now
  }
}

TEST_F(FsckTest, EveryBrokenEntryIsNamedAndTheRestStillChecked) {
  image_.Append(MkdirEntry("a"));
  image_.Append(MkdirEntry("../b"));
  image_.Append(FileEntry("a/f", {Unit(0)}));
  image_.Append(FileEntry("a/g", {Unit(0)}));
  image_.Append(FileEntry("a/h", {Unit(1)}));
  image_.FlipBit(kLogOffset + EntryAt(4) + 20, 1);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("error: entry 1: path: "),
                                  HasSubstr("error: entry 3: overlap: "),
                                  HasSubstr("error: entry 4: crc: ")));
  EXPECT_EQ(report_.files, 1U);
}

TEST_F(FsckTest, FindingsAreCapped) {
  image_.Publish(15420);
  EXPECT_EQ(Fsck().size(), 1000U);
  EXPECT_TRUE(report_.truncated);
}

TEST_F(FsckTest, CountersBeyondTheSlotsAreAnError) {
  image_.Append(MkdirEntry("a"));
  image_.Append(MkdirEntry("/b"));
  image_.Publish(15421);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("error: log_header: "),
                                  HasSubstr("error: entry 1: path: ")));
}

TEST_F(FsckTest, ASeqnumAheadIsUnfinished) {
  MediaLogHeader header = image_.header();
  header.next_seqnum = 1;
  image_.SetHeader(header);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("unfinished: counters: ")));
}

TEST_F(FsckTest, AnInterruptedAppendIsUnfinished) {
  image_.Append(MkdirEntry("a"));
  image_.Put(1, MkdirEntry("b"));
  MediaEntry part{};
  part.seqnum = 2;
  image_.PutRaw(2, part);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr(
                          "unfinished: entry 1: unpublished: 1 whole and 1")));
}

TEST_F(FsckTest, ADamagedCopyIsToldAlthoughTheOtherOneIsValid) {
  image_.SetState(State(0, 1));
  image_.SetState(State(0, 2));
  image_.FlipBit(kRegionOffset + CopyAt(kStateAt, 2) + 33, 1);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("error: region: copy 0")));
}

TEST_F(FsckTest, AnInterruptedCompactionIsUnfinished) {
  const std::uint64_t place = Unit(100).offset;
  image_.SetState(State(4, 1));
  image_.Append(MkdirEntry("a"));
  image_.WriteImage(place, {MkdirEntry("a"), MkdirEntry("b")});
  image_.StartCompaction(5, place);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("unfinished: compaction: ")));
  EXPECT_EQ(report_.directories, 1U);
  image_.EnterCompactingForm();
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("unfinished: compaction: ")));
  EXPECT_EQ(report_.directories, 2U);
  image_.FlipBit(place + 100, 0);
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("error: compaction: ")));
}

TEST_F(FsckTest, ACompactingFormWithoutRecordIsAnError) {
  image_.EnterCompactingForm();
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("error: log_header: ")));
}

TEST_F(FsckTest, ARecordOfAnImpossibleGenerationOrPlaceIsAnError) {
  image_.SetState(State(4, 1));
  image_.SetCompaction(
      {.generation = 9, .offset = ~0ULL - 4095, .length = 4096});
  image_.EnterCompactingForm();
  EXPECT_THAT(Fsck(), ElementsAre(HasSubstr("error: region: "),
                                  HasSubstr("error: compaction: ")));
}

class EmulatedFsckTest : public FsckTest {
 protected:
  void SetUp() override {
    directory_ =
        "/dev/shm/famfs-fsck-" + std::to_string(::getpid()) + "-" +
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    image_.Append(FileEntry("f", {Unit(0)}));
    image_.Append(FileEntry("g", {Unit(5, 2)}));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  static Range At(const MediaExtent& extent) {
    return {extent.offset, extent.length};
  }

  std::string directory_;
};

TEST_F(EmulatedFsckTest, MatchingExtentFilesAreClean) {
  const auto device =
      image_.OpenAsEmulated(directory_, {At(Unit(0)), At(Unit(5, 2))});
  EXPECT_THAT(Fsck(*device), IsEmpty());
}

TEST_F(EmulatedFsckTest, AMissingExtentFileNamesItsPath) {
  const auto device = image_.OpenAsEmulated(directory_, {At(Unit(0))});
  EXPECT_THAT(Fsck(*device),
              ElementsAre(HasSubstr("error: extent_file: file 'g' has no")));
}

TEST_F(EmulatedFsckTest, AnExtentFileOfAnotherLengthIsMissing) {
  const auto device =
      image_.OpenAsEmulated(directory_, {At(Unit(0)), At(Unit(5))});
  EXPECT_THAT(Fsck(*device),
              ElementsAre(HasSubstr("error: extent_file: file 'g' has no")));
}

TEST_F(EmulatedFsckTest, AnExtentFileThatNoEntryNamesIsUnfinished) {
  const auto device = image_.OpenAsEmulated(
      directory_, {At(Unit(0)), At(Unit(5, 2)), At(Unit(9))});
  EXPECT_THAT(Fsck(*device), ElementsAre(HasSubstr("unfinished: extent_file")));
}

TEST_F(EmulatedFsckTest, TheExtentOfADamagedEntryIsNoLeftover) {
  image_.FlipBit(kLogOffset + EntryAt(1) + 45, 3);
  const auto device =
      image_.OpenAsEmulated(directory_, {At(Unit(0)), At(Unit(5, 2))});
  EXPECT_THAT(Fsck(*device),
              ElementsAre(HasSubstr("error: entry 1: crc: "),
                          AllOf(HasSubstr("error: unnamed: "),
                                HasSubstr("what entry 1 names"))));
}

TEST_F(EmulatedFsckTest, BehindADamagedHeaderNoExtentIsALeftover) {
  image_.FlipBit(kLogOffset + 24, 0);
  const auto device = image_.OpenAsEmulated(
      directory_, {At(Unit(0)), At(Unit(5, 2)), At(Unit(9))});
  EXPECT_THAT(Fsck(*device), ElementsAre(HasSubstr("error: log_header: "),
                                         HasSubstr("error: unnamed: ")));
}

TEST_F(EmulatedFsckTest, AMissingLogIsNamed) {
  const auto device =
      image_.OpenAsEmulated(directory_, {At(Unit(0)), At(Unit(5, 2))});
  std::filesystem::remove(directory_ + "/extents/200000");
  EXPECT_THAT(Fsck(*device), ElementsAre(HasSubstr("error: log: ")));
}

}  // namespace
}  // namespace famfs::testing
