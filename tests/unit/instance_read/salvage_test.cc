// Damaged instances: what is whole comes out, what is not is named.
#include "instance/log/salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "instance/devices/identity.h"
#include "instance/reader/reader.h"
#include "media/checksum.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class SalvageTest : public ::testing::Test {
 protected:
  void Open() {
    auto reader =
        Reader::OpenSalvaged(std::make_shared<DeviceSet>(image_.Open()));
    ASSERT_TRUE(reader.ok()) << Message(reader.status());
    reader_ = *std::move(reader);
  }
  void Damage(std::uint64_t entry) {
    image_.FlipBit(kLogOffset + EntryAt(entry) + 45, 3);
  }
  /// "entry 3: crc", "log_header", ...
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    const DamageList damage = reader_->Damage();
    for (const Finding& finding : damage.findings()) {
      told.push_back(finding.entry ? fmt::format("entry {}: {}", *finding.entry,
                                                 finding.rule)
                                   : finding.rule);
    }
    return told;
  }
  std::vector<std::string> Paths() {
    std::vector<std::string> paths;
    const auto tree = reader_->Tree();
    for (const auto& [id, node] : tree->nodes()) {
      if (!node->is_meta && id != kRootNode) {
        paths.push_back(tree->PathOf(*node));
      }
    }
    return paths;
  }
  void Append(const std::vector<MediaEntry>& entries) {
    for (const MediaEntry& entry : entries) image_.Append(entry);
  }
  void AppendSixFiles() {
    for (std::uint64_t i = 0; i < 6; ++i) {
      image_.Append(FileEntry(fmt::format("f{}", i), {Unit(i)}));
    }
  }
  static MediaEntry Revision(std::string_view directory, const char* name,
                             std::uint32_t revision,
                             VolumeState state = VolumeState::kLive) {
    VolumeAttributes attributes = Attributes(name);
    attributes.revision = revision;
    attributes.state = state;
    if (state == VolumeState::kDeleted) attributes.deletion_number = 1;
    return VolumeEntry(directory, attributes);
  }

  RawImage image_;
  std::unique_ptr<Reader> reader_;
};

TEST_F(SalvageTest, AWholeInstanceHasNoDamage) {
  AppendSixFiles();
  Open();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(Paths().size(), 6U);
}

TEST_F(SalvageTest, OneDamagedEntryTakesItsOwnFileAlone) {
  AppendSixFiles();
  for (std::uint64_t damaged = 0; damaged < 6; ++damaged) {
    Damage(damaged);
    Open();
    EXPECT_THAT(Told(), ElementsAre(fmt::format("entry {}: crc", damaged)));
    const auto tree = reader_->Tree();
    for (std::uint64_t i = 0; i < 6; ++i) {
      const Node* const file = tree->FindPath(fmt::format("f{}", i));
      EXPECT_EQ(file == nullptr, i == damaged) << i;
      if (file != nullptr) {
        EXPECT_THAT(file->extents, ElementsAre(Unit(i)));
      }
    }
    Damage(damaged);  // flips it back
  }
}

TEST_F(SalvageTest, AnyFlippedBitOfAnEntryCostsThatEntryAtMost) {
  constexpr std::uint32_t kSeed = 23;
  SCOPED_TRACE(::testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  AppendSixFiles();
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t entry = random() % 6;
    const std::uint64_t at =
        kLogOffset + EntryAt(entry) + random() % sizeof(MediaEntry);
    const unsigned bit = random() % 8;
    image_.FlipBit(at, bit);
    Open();
    EXPECT_EQ(Paths().size(), 5U) << at;
    EXPECT_THAT(Told(), ElementsAre(HasSubstr(fmt::format("entry {}", entry))));
    image_.FlipBit(at, bit);
  }
}

TEST_F(SalvageTest, FilesOfADamagedDirectoryKeepTheirPaths) {
  Append({MkdirEntry("a"), MkdirEntry("a/b"), FileEntry("a/b/f", {Unit(0)}),
          FileEntry("g", {Unit(1)})});
  Damage(0);
  Damage(1);
  Open();
  EXPECT_THAT(Told(), ElementsAre("entry 0: crc", "entry 1: crc",
                                  "entry 2: parent", "entry 2: parent"));
  EXPECT_THAT(Paths(), UnorderedElementsAre("a", "a/b", "a/b/f", "g"));
  // Closed to everybody else, as its mode is not known.
  EXPECT_EQ(reader_->Tree()->FindPath("a")->owner, (Ownership{0, 0, 0700}));
}

TEST_F(SalvageTest, ARepeatedMkdirTellsTheOwnerAfterAll) {
  Append({MkdirEntry("a"), FileEntry("a/f", {Unit(0)}), MkdirEntry("a")});
  Damage(0);
  Open();
  EXPECT_EQ(reader_->Tree()->FindPath("a")->owner,
            (Ownership{1000, 1000, 0755}));
}

TEST_F(SalvageTest, APathBelowAFileIsLeftOut) {
  Append({FileEntry("f", {Unit(0)}), FileEntry("f/x", {Unit(1)}),
          FileEntry("g", {Unit(2)})});
  Open();
  EXPECT_THAT(Told(), ElementsAre("entry 1: parent"));
  EXPECT_THAT(Paths(), UnorderedElementsAre("f", "g"));
}

TEST_F(SalvageTest, TwoFilesNeverShareAnExtent) {
  Append({FileEntry("f", {Unit(0, 2)}), FileEntry("g", {Unit(1)}),
          FileEntry("h", {Unit(2)})});
  Open();
  EXPECT_THAT(Told(), ElementsAre("entry 1: overlap"));
  EXPECT_THAT(Paths(), UnorderedElementsAre("f", "h"));
}

TEST_F(SalvageTest, PathsThatClimbOutAreNeverFollowed) {
  Append({FileEntry("../f", {Unit(0)}), FileEntry("/g", {Unit(1)}),
          FileEntry("h", {Unit(2)})});
  Open();
  EXPECT_THAT(Paths(), ElementsAre("h"));
}

TEST_F(SalvageTest, ALaterRevisionOfAVolumeCountsWithoutTheOneBefore) {
  VolumeAttributes third = Attributes("pvc");
  third.revision = 3;
  third.capacity = 3 * kAllocUnit;
  Append({Revision("v", "pvc", 1), FileEntry("v/data", {Unit(0)}),
          Revision("v", "pvc", 2), VolumeEntry("v", third)});
  Damage(2);
  Open();
  EXPECT_THAT(Told(), ElementsAre("entry 2: crc", "entry 3: revision"));
  const auto tree = reader_->Tree();
  ASSERT_NE(tree->FindVolume("pvc"), nullptr);
  EXPECT_EQ(tree->FindVolume("pvc")->volume->capacity, 3 * kAllocUnit);
}

TEST_F(SalvageTest, AVolumeWithoutItsFirstEntryIsKnownByTheNextOne) {
  Append({Revision("v", "pvc", 1), FileEntry("v/data", {Unit(0)}),
          Revision("v", "pvc", 2)});
  Damage(0);
  Open();
  const auto tree = reader_->Tree();
  ASSERT_NE(tree->FindVolume("pvc"), nullptr);
  EXPECT_EQ(tree->FindVolume("pvc")->owner, (Ownership{1000, 1000, 0755}));
  EXPECT_NE(tree->FindPath("v/data"), nullptr);
}

TEST_F(SalvageTest, ADeletedVolumeStaysDeletedWithoutItsFirstEntry) {
  Append({Revision("v", "pvc", 1), FileEntry("v/data", {Unit(0)}),
          Revision("v", "pvc", 2, VolumeState::kDeleted),
          FileEntry("f", {Unit(1)})});
  Damage(0);
  Open();
  EXPECT_THAT(Paths(), ElementsAre("f"));
  EXPECT_EQ(reader_->Figures().pending, kAllocUnit);
}

TEST_F(SalvageTest, AVolumeMadeAgainCountsWhenTheDeletionCannotBeRead) {
  Append({Revision("v", "pvc", 1), FileEntry("v/data", {Unit(0)}),
          Revision("v", "pvc", 2, VolumeState::kDeleted),
          Revision("w", "pvc", 1), FileEntry("w/data", {Unit(1)})});
  Damage(2);
  Open();
  const auto tree = reader_->Tree();
  ASSERT_NE(tree->FindVolume("pvc"), nullptr);
  EXPECT_EQ(tree->FindVolume("pvc")->name, "w");
  EXPECT_NE(tree->FindPath("v/data"), nullptr);
  EXPECT_NE(tree->FindPath("w/data"), nullptr);
}

TEST_F(SalvageTest, WithoutAHeaderTheSlotsTellHowManyThereAre) {
  AppendSixFiles();
  image_.FlipBit(kLogOffset + 24, 0);  // its checksum
  Damage(2);
  Open();
  EXPECT_THAT(Told(), UnorderedElementsAre("entry 2: crc", "log_header"));
  EXPECT_EQ(Paths().size(), 5U);
}

TEST_F(SalvageTest, ACompactionWithoutItsImageLeavesTheEntriesThatStand) {
  AppendSixFiles();
  image_.EnterCompactingForm();
  Open();
  EXPECT_THAT(Told(), ElementsAre("log_header"));
  EXPECT_EQ(Paths().size(), 6U);
}

TEST_F(SalvageTest, ACompactionUnderWayIsReadFromItsImage) {
  const std::uint64_t place = Unit(100).offset;
  image_.SetState(State(4, 1));
  AppendSixFiles();
  image_.WriteImage(place, {FileEntry("f1", {Unit(1)}), MkdirEntry("new")});
  image_.StartCompaction(5, place);
  image_.EnterCompactingForm();
  Open();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(Paths(), UnorderedElementsAre("f1", "new"));
}

TEST_F(SalvageTest, WithoutARegionTheLogCounts) {
  AppendSixFiles();
  for (const std::uint64_t slot : {1U, 2U}) {
    image_.SetState(State(0, slot));
    image_.FlipBit(kRegionOffset + CopyAt(kStateAt, slot) + 33, 1);
  }
  Open();
  EXPECT_THAT(Told(), ElementsAre("region"));
  EXPECT_EQ(Paths().size(), 6U);
}

TEST_F(SalvageTest, WithoutASuperblockTheLogTellsItsLength) {
  AppendSixFiles();
  for (const std::uint64_t at : {0U, 8U, 29U, 100U}) {  // magic ... checksum
    image_.FlipBit(at, 0);
    Open();
    EXPECT_THAT(Told(), ElementsAre("superblock")) << at;
    EXPECT_EQ(Paths().size(), 6U) << at;
    image_.FlipBit(at, 0);
  }
}

TEST_F(SalvageTest, WithoutSuperblockAndHeaderNothingTellsWhereTheLogLies) {
  AppendSixFiles();
  image_.FlipBit(29, 0);
  image_.FlipBit(kLogOffset + 24, 0);
  const auto reader =
      Reader::OpenSalvaged(std::make_shared<DeviceSet>(image_.Open()));
  EXPECT_THAT(std::string(Message(reader.status())), HasSubstr("superblock"));
}

TEST_F(SalvageTest, AnotherFormatIsNoDamage) {
  MediaSuperblock super = image_.superblock();
  super.version += 1;
  image_.SetSuperblock(super);
  const auto reader =
      Reader::OpenSalvaged(std::make_shared<DeviceSet>(image_.Open()));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader.status()));
}

TEST_F(SalvageTest, ADeviceThatWasCutLeavesWhatItStillHas) {
  Append({FileEntry("f", {Unit(0)}),
          FileEntry("far", {{0, kImageSize - kAllocUnit, kAllocUnit}})});
  image_.Truncate(kImageSize - 2 * kAllocUnit);
  Open();
  EXPECT_THAT(Told(), UnorderedElementsAre("entry 1: extent", "superblock"));
  EXPECT_THAT(Paths(), ElementsAre("f"));
}

TEST_F(SalvageTest, ABlankDeviceIsNoFamfs) {
  image_.Truncate(0);
  image_.Truncate(kImageSize);
  const auto reader =
      Reader::OpenSalvaged(std::make_shared<DeviceSet>(image_.Open()));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader.status()));
}

TEST_F(SalvageTest, DevicesWhoseEntriesAreDamagedKeepTheirNumbers) {
  Append({DaxdevEntry(1, 0x31, kImageSize), DaxdevEntry(2, 0x32, kImageSize),
          FileEntry("one", {{1, kAllocUnit, kAllocUnit}}),
          FileEntry("two", {{2, kAllocUnit, kAllocUnit}})});
  Damage(0);
  Open();
  EXPECT_THAT(Told(), ElementsAre("entry 0: crc", "entry 1: device"));
  const auto devices = reader_->AddedDevices();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_TRUE(devices[0].device_uuid.is_nil());
  EXPECT_EQ(devices[0].size, 2 * kAllocUnit);
  EXPECT_EQ(devices[1].device_uuid.bytes[0], 0x32);
  EXPECT_THAT(Paths(), UnorderedElementsAre("one", "two"));
  Damage(1);
  Open();
  EXPECT_EQ(reader_->AddedDevices().size(), 2U);
  EXPECT_THAT(Paths(), UnorderedElementsAre("one", "two"));
}

TEST_F(SalvageTest, IsFollowedWhileItGrows) {
  AppendSixFiles();
  Damage(3);
  Open();
  EXPECT_THAT(*reader_->Refresh(), IsEmpty());
  image_.Append(FileEntry("f6", {Unit(6)}));
  const auto changes = reader_->Refresh();
  ASSERT_TRUE(changes.ok());
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->front().name, "f6");
  EXPECT_THAT(Told(), ElementsAre("entry 3: crc"));
}

TEST_F(SalvageTest, ATornTailIsSeenWhenItIsWhole) {
  AppendSixFiles();
  Damage(5);
  Open();
  EXPECT_EQ(Paths().size(), 5U);
  Damage(5);
  EXPECT_TRUE(reader_->Refresh().ok());
  EXPECT_EQ(Paths().size(), 6U);
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(SalvageTest, AnInstanceMadeAnewIsNotTakenForTheDamagedOne) {
  AppendSixFiles();
  Damage(3);
  Open();
  MediaSuperblock other = image_.superblock();
  other.fs_uuid.bytes.fill(0x99);
  image_.SetSuperblock(other);
  image_.Publish(0);
  EXPECT_TRUE(IsReplaced(reader_->Refresh().status()));
  EXPECT_TRUE(IsReplaced(reader_->Refresh().status())) << "for good";
}

TEST_F(SalvageTest, AnOrdinaryReaderStillRefuses) {
  AppendSixFiles();
  Damage(3);
  EXPECT_TRUE(absl::IsDataLoss(Reader::Open(image_.Open()).status()));
}

}  // namespace
}  // namespace famfs::testing
