#include "instance/reader/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "../media/golden.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

MediaEntry Deletion(const char* directory, const char* name) {
  VolumeAttributes attributes = Attributes(name);
  attributes.revision = 2;
  attributes.state = VolumeState::kDeleted;
  attributes.deletion_number = 1;
  return VolumeEntry(directory, attributes);
}

class ReaderTest : public ::testing::Test {
 protected:
  void Open() {
    absl::StatusOr<std::unique_ptr<Reader>> reader =
        Reader::Open(image_.Open());
    ASSERT_TRUE(reader.ok()) << Message(reader.status());
    reader_ = *std::move(reader);
  }
  /// "+name", "-name" or "*name" for each change.
  std::vector<std::string> Refresh() {
    const auto changes = reader_->Refresh();
    if (!changes.ok()) return {std::string(Message(changes.status()))};
    std::vector<std::string> told;
    for (const Change& change : *changes) {
      const char* sign = change.kind == Change::Kind::kAdded     ? "+"
                         : change.kind == Change::Kind::kRemoved ? "-"
                                                                 : "*";
      told.push_back(sign + change.name);
    }
    return told;
  }
  bool Has(const char* path) {
    return reader_->Tree()->FindPath(path) != nullptr;
  }
  void ExpectOpenFails(absl::StatusCode code, const char* words) {
    const auto reader = Reader::Open(image_.Open());
    EXPECT_EQ(reader.status().code(), code) << Message(reader.status());
    EXPECT_THAT(std::string(Message(reader.status())), HasSubstr(words));
  }

  RawImage image_;
  std::unique_ptr<Reader> reader_;
};

TEST_F(ReaderTest, AnUpstreamInstanceWithoutOurRegionIsRead) {
  image_.Append(MkdirEntry("a"));
  image_.Append(FileEntry("a/f", {Unit(0)}));
  Open();
  EXPECT_TRUE(Has("a/f"));
  const PoolFigures figures = reader_->Figures();
  EXPECT_EQ(figures.size, kImageSize);
  EXPECT_EQ(figures.entries, 2U);
  EXPECT_EQ(figures.slots, 15420U);
  EXPECT_EQ(figures.free, kImageSize - kImageData - kAllocUnit);
}

TEST_F(ReaderTest, ABlankDeviceIsNoFamfs) {
  image_.Truncate(0);
  image_.Truncate(kImageSize);
  ExpectOpenFails(absl::StatusCode::kFailedPrecondition, "no famfs");
}

TEST_F(ReaderTest, ATruncatedImageIsRefused) {
  image_.Truncate(kImageSize - kAllocUnit);
  ExpectOpenFails(absl::StatusCode::kDataLoss, "device_size");
  image_.Truncate(kMiB);
  ExpectOpenFails(absl::StatusCode::kFailedPrecondition, "no famfs");
}

TEST_F(ReaderTest, NewEntriesAppearWithTheirChanges) {
  image_.Append(MkdirEntry("a"));
  Open();
  EXPECT_THAT(Refresh(), IsEmpty());
  image_.Append(FileEntry("a/f", {Unit(0)}));
  image_.Append(VolumeEntry("v", Attributes("pvc")));
  EXPECT_FALSE(Has("v"));
  EXPECT_EQ(Refresh(), (std::vector<std::string>{"+f", "+v"}));
  EXPECT_TRUE(Has("v"));
  image_.Append(Deletion("v", "pvc"));
  EXPECT_EQ(Refresh(), std::vector<std::string>{"-v"});
  EXPECT_THAT(Refresh(), IsEmpty());
}

TEST_F(ReaderTest, AnEntryBeyondTheCountIsInvisible) {
  image_.Append(MkdirEntry("a"));
  image_.Put(1, MkdirEntry("b"));
  Open();
  EXPECT_FALSE(Has("b"));
  image_.Publish(2);
  EXPECT_EQ(Refresh(), std::vector<std::string>{"+b"});
}

TEST_F(ReaderTest, ATornTailIsNotYetVisible) {
  image_.Append(MkdirEntry("a"));
  image_.Append(MkdirEntry("b"));
  const MediaEntry whole = image_.Get(1);
  MediaEntry torn = whole;
  torn.mkdir.mode ^= 1;
  image_.PutRaw(1, torn);
  Open();
  EXPECT_TRUE(Has("a"));
  EXPECT_FALSE(Has("b"));
  EXPECT_EQ(reader_->Figures().entries, 1U);
  EXPECT_THAT(Refresh(), IsEmpty());
  image_.PutRaw(1, whole);
  EXPECT_EQ(Refresh(), std::vector<std::string>{"+b"});
}

TEST_F(ReaderTest, ATornTailThatComesLaterIsNotYetVisible) {
  image_.Append(MkdirEntry("a"));
  Open();
  image_.Publish(2);  // the counter before the entry, as upstream may show it
  EXPECT_THAT(Refresh(), IsEmpty());
  image_.Put(1, MkdirEntry("b"));
  EXPECT_EQ(Refresh(), std::vector<std::string>{"+b"});
}

TEST_F(ReaderTest, ABadEntryInTheMiddleIsNamed) {
  for (const char* path : {"a", "b", "c"}) image_.Append(MkdirEntry(path));
  image_.FlipBit(kLogOffset + EntryAt(1) + 30, 3);
  ExpectOpenFails(absl::StatusCode::kDataLoss, "entry 1: crc");
}

TEST_F(ReaderTest, ABrokenRuleAtTheTailIsNotTorn) {
  image_.Append(MkdirEntry("a"));
  image_.Append(MkdirEntry("../b"));
  ExpectOpenFails(absl::StatusCode::kDataLoss, "entry 1: path");
}

TEST_F(ReaderTest, DamageThatComesLaterLeavesTheTreeAsItWas) {
  image_.Append(MkdirEntry("a"));
  Open();
  image_.Append(MkdirEntry("good"));
  image_.Append(FileEntry("nowhere/f", {Unit(0)}));
  for (int again = 0; again < 3; ++again) {
    const auto changes = reader_->Refresh();
    EXPECT_TRUE(absl::IsDataLoss(changes.status()));
    EXPECT_THAT(std::string(Message(changes.status())),
                HasSubstr("entry 2: parent"));
    EXPECT_FALSE(Has("good"));
    EXPECT_TRUE(Has("a"));
  }
  image_.Put(2, MkdirEntry("nowhere"));
  EXPECT_EQ(Refresh(), (std::vector<std::string>{"+good", "+nowhere"}));
}

TEST_F(ReaderTest, ABadMiddleThatComesLaterIsNamed) {
  Open();
  image_.Append(MkdirEntry("a"));
  image_.Append(MkdirEntry("b"));
  image_.FlipBit(kLogOffset + EntryAt(0) + 30, 3);
  EXPECT_THAT(Refresh().front(), HasSubstr("entry 0: crc"));
  image_.FlipBit(kLogOffset + EntryAt(0) + 30, 3);
  EXPECT_EQ(Refresh(), (std::vector<std::string>{"+a", "+b"}));
}

TEST_F(ReaderTest, ALogThatGoesBackIsNotFollowed) {
  image_.Append(MkdirEntry("a"));
  Open();
  image_.Publish(0);
  EXPECT_THAT(Refresh().front(), HasSubstr("gone back"));
  EXPECT_TRUE(Has("a"));
}

// As many entries as before: only the record's sequence tells.
TEST_F(ReaderTest, ACompactionInBetweenIsSeenAndCompared) {
  image_.SetState(State(0, 1));
  image_.Append(VolumeEntry("v", Attributes("pvc")));
  image_.Append(MkdirEntry("stays"));
  image_.Append(MkdirEntry("stays/below"));
  Open();
  image_.Append(Deletion("v", "pvc"));
  MediaEntry changed = VolumeEntry("w", Attributes("other"));
  image_.Compact(1, Unit(100).offset,
                 {MkdirEntry("stays"), MkdirEntry("stays/below"), changed});
  EXPECT_EQ(Refresh(), (std::vector<std::string>{"-v", "+w"}));
  EXPECT_TRUE(Has("stays/below"));
  EXPECT_EQ(reader_->Figures().entries, 3U);
  image_.Append(MkdirEntry("next"));
  EXPECT_EQ(Refresh(), std::vector<std::string>{"+next"});
}

TEST_F(ReaderTest, ARevisionThatACompactionMergedIsAChange) {
  image_.Append(VolumeEntry("v", Attributes("pvc")));
  Open();
  VolumeAttributes sealed = Attributes("pvc");
  sealed.revision = 2;
  sealed.state = VolumeState::kSealed;
  image_.Compact(1, Unit(100).offset, {VolumeEntry("v", sealed)});
  EXPECT_EQ(Refresh(), std::vector<std::string>{"*v"});
}

class ReaderDuringCompactionTest : public ReaderTest {
 protected:
  void SetUp() override {
    image_.SetState(State(0, 1));
    image_.Append(VolumeEntry("v", Attributes("pvc")));
    image_.Append(MkdirEntry("stays"));
    image_.Append(Deletion("v", "pvc"));
    image_.WriteImage(kPlace, {MkdirEntry("stays")});
  }
  static constexpr std::uint64_t kPlace = kImageData + 100 * kAllocUnit;
};

TEST_F(ReaderDuringCompactionTest, TheImageIsPlayedOnceItsRecordStands) {
  image_.StartCompaction(1, kPlace);
  Open();
  EXPECT_TRUE(Has("stays"));
  EXPECT_EQ(reader_->Figures().entries, 1U);
  EXPECT_THAT(Refresh(), IsEmpty());
}

TEST_F(ReaderDuringCompactionTest, TheCompactingFormIsReadThroughTheImage) {
  image_.StartCompaction(1, kPlace);
  image_.EnterCompactingForm();
  image_.FlipBit(kLogOffset + EntryAt(0) + 30, 3);  // half rewritten
  Open();
  EXPECT_TRUE(Has("stays"));
  image_.RewriteFromImage(kPlace);
  image_.EndCompaction(1);
  EXPECT_THAT(Refresh(), IsEmpty());
  image_.Append(MkdirEntry("next"));
  EXPECT_EQ(Refresh(), std::vector<std::string>{"+next"});
}

TEST_F(ReaderDuringCompactionTest, AWholeLogIsReadBeforeItsRecordIsCleared) {
  image_.StartCompaction(1, kPlace);
  image_.EnterCompactingForm();
  image_.RewriteFromImage(kPlace);
  image_.SetState(State(1, 1));
  image_.FlipBit(kPlace + 5, 0);  // the image is used again by now
  Open();
  EXPECT_TRUE(Has("stays"));
  image_.Append(MkdirEntry("next"));
  EXPECT_EQ(Refresh(), std::vector<std::string>{"+next"});
}

TEST_F(ReaderDuringCompactionTest, WithoutImageAndLogItAsksToTryLater) {
  image_.StartCompaction(1, kPlace);
  image_.EnterCompactingForm();
  image_.FlipBit(kPlace + 5, 0);
  ExpectOpenFails(absl::StatusCode::kUnavailable, "compact");
}

TEST_F(ReaderDuringCompactionTest, ABadImageBesideAWholeLogIsNotNeeded) {
  image_.StartCompaction(1, kPlace);
  image_.FlipBit(kPlace + 5, 0);
  Open();
  EXPECT_TRUE(Has("stays"));
  EXPECT_FALSE(Has("v"));
}

TEST_F(ReaderTest, ADamagedRegionIsTold) {
  image_.SetState(State(3, 1));
  image_.FlipBit(kRegionOffset + CopyAt(kStateAt, 1) + 30, 2);
  ExpectOpenFails(absl::StatusCode::kDataLoss, "state record");
}

TEST_F(ReaderTest, ARegionOfAnEarlierFileSystemIsAbsent) {
  image_.SetState(State(3, 1));
  image_.SetCompaction({.generation = 4, .offset = kImageData, .length = 48});
  MediaSuperblock anew = image_.superblock();
  anew.fs_uuid.bytes.fill(0x77);
  image_.SetSuperblock(anew);
  image_.Append(MkdirEntry("a"));
  Open();
  EXPECT_TRUE(Has("a"));
}

TEST_F(ReaderTest, UpstreamsGoldenImageIsRead) {
  const std::vector<std::byte> golden = GoldenImage("three-entries");
  image_.Write(0, golden);
  Open();
  const auto tree = reader_->Tree();
  const Node* file = tree->FindPath("dir1/simple.bin");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->size, 5'000'000U);
  const Node* inter = tree->FindPath("dir1/inter.bin");
  ASSERT_NE(inter, nullptr);
  EXPECT_EQ(inter->extents.size(), 3U);
  EXPECT_EQ(Locate(*inter, 2 * kMiB).device_offset, inter->extents[1].offset);
}

}  // namespace
}  // namespace famfs::testing
