#include "instance/log/log_player.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "media/checksum.h"
#include "raw_image.h"

namespace famfs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LogPlayerTest : public ::testing::Test {
 protected:
  LogPlayerTest() : player_(Superblock(), kImageSize) {}

  static MediaSuperblock Superblock() {
    MediaSuperblock super;
    super.fs_uuid.bytes.fill(0x11);
    super.device_uuid.bytes.fill(0x22);
    super.log_length = kImageLog;
    return super;
  }

  /// The status of playing the entry as the next one.
  absl::Status Play(MediaEntry entry) {
    entry.seqnum = player_.next_index();
    Seal(entry);
    return player_.Apply(player_.next_index(), entry);
  }
  void Must(const MediaEntry& entry) {
    const absl::Status status = Play(entry);
    ASSERT_TRUE(status.ok()) << Message(status);
  }
  /// Plays an entry that breaks `rule`, and sees that nothing else changed.
  void ExpectBroken(MediaEntry entry, const char* rule,
                    const char* words = "") {
    const std::uint64_t index = player_.next_index();
    const std::uint64_t free = player_.allocator().free_bytes();
    const std::size_t nodes = player_.tree().size();
    const absl::Status status = Play(entry);
    EXPECT_TRUE(absl::IsDataLoss(status)) << Message(status);
    EXPECT_THAT(std::string(Message(status)),
                StartsWith(fmt::format("entry {}: {}: ", index, rule)));
    EXPECT_THAT(std::string(Message(status)), HasSubstr(words));
    EXPECT_EQ(player_.allocator().free_bytes(), free);
    EXPECT_EQ(player_.tree().size(), nodes);
    EXPECT_EQ(player_.next_index(), index);
  }
  void MakeVolume(const char* directory, const char* name, std::uint64_t unit) {
    Must(VolumeEntry(directory, Attributes(name)));
    Must(FileEntry(std::string(directory) + "/data", {Unit(unit)}));
  }
  static MediaEntry Deletion(const char* directory, const char* name,
                             std::uint32_t revision) {
    VolumeAttributes attributes = Attributes(name);
    attributes.revision = revision;
    attributes.state = VolumeState::kDeleted;
    attributes.deletion_number = 1;
    return VolumeEntry(directory, attributes);
  }

  LogPlayer player_;
};

TEST_F(LogPlayerTest, DirectoriesAndFilesAppearWithTheirFields) {
  Must(MkdirEntry("a"));
  Must(FileEntry("a/f", {Unit(0), Unit(5, 2)}));
  Must(InterleavedEntry("a/i", 3 * kAllocUnit, kAllocUnit,
                        {Unit(10, 2), Unit(20, 2)}));
  const Node* file = player_.tree().FindPath("a/f");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->size, 3 * kAllocUnit);
  EXPECT_EQ(file->chunk(), 0U);
  EXPECT_EQ(file->owner, (Ownership{1000, 1000, 0644}));
  EXPECT_THAT(file->extents, ElementsAre(Unit(0), Unit(5, 2)));
  const Node* inter = player_.tree().FindPath("a/i");
  ASSERT_NE(inter, nullptr);
  EXPECT_EQ(inter->chunk(), kAllocUnit);
  EXPECT_THAT(inter->extents, ElementsAre(Unit(10, 2), Unit(20, 2)));
  EXPECT_EQ(player_.allocator().free_bytes(),
            kImageSize - kImageData - 7 * kAllocUnit);
}

TEST_F(LogPlayerTest, RulesOnOneEntryAreNamed) {
  MediaEntry wrong_crc = MkdirEntry("a");
  wrong_crc.crc = 7;
  const auto finding = player_.TryApply(0, wrong_crc);
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->rule, "crc");
  EXPECT_EQ(finding->entry, 0U);

  MediaEntry elsewhere = MkdirEntry("a");
  elsewhere.seqnum = 9;
  Seal(elsewhere);
  EXPECT_EQ(player_.TryApply(0, elsewhere)->rule, "seqnum");

  MediaEntry unknown = MkdirEntry("a");
  unknown.type = 2;
  ExpectBroken(unknown, "type");
  for (const char* path : {"../x", "/x", "a//b", "a/./b", "", "a/"}) {
    ExpectBroken(MkdirEntry(path), "path");
    ExpectBroken(FileEntry(path, {Unit(0)}), "path");
  }
  MediaEntry empty = FileEntry("f", {Unit(0)});
  empty.file.size = 0;
  ExpectBroken(empty, "size");
  MediaEntry large = FileEntry("f", {Unit(0)});
  large.file.size = kAllocUnit + 1;
  ExpectBroken(large, "size");
  MediaEntry counted = FileEntry("f", {Unit(0)});
  counted.file.extent_count = 0xffffffff;
  ExpectBroken(counted, "extent");
  MediaEntry odd = FileEntry("f", {{0, kImageData + 512, kAllocUnit}});
  ExpectBroken(odd, "extent");
  ExpectBroken(FileEntry("f", {{0, kLogOffset, kAllocUnit}}), "extent");
  ExpectBroken(FileEntry("f", {{0, kImageSize, kAllocUnit}}), "extent");
  ExpectBroken(FileEntry("f", {Unit(3, 2), Unit(4)}), "overlap");
  ExpectBroken(InterleavedEntry("f", kAllocUnit, 3 * kAllocUnit, {Unit(0)}),
               "extent");
  ExpectBroken(InterleavedEntry("f", 9 * kAllocUnit, kAllocUnit, {Unit(0)}),
               "extent");
  MediaEntry device = DaxdevEntry(0, 9, kGiB);
  ExpectBroken(device, "device");
}

TEST_F(LogPlayerTest, ASlotOutOfTurnIsRefused) {
  MediaEntry entry = MkdirEntry("a");
  entry.seqnum = 4;
  Seal(entry);
  EXPECT_EQ(player_.TryApply(4, entry)->rule, "index");
}

TEST_F(LogPlayerTest, ParentsComeFirst) {
  ExpectBroken(FileEntry("a/f", {Unit(0)}), "parent", "no entry made before");
  ExpectBroken(MkdirEntry("a/b"), "parent");
  Must(FileEntry("f", {Unit(0)}));
  ExpectBroken(FileEntry("f/g", {Unit(1)}), "parent", "is a file");
}

TEST_F(LogPlayerTest, APathIsUsedOnce) {
  Must(MkdirEntry("a"));
  Must(FileEntry("a/f", {Unit(0)}));
  ExpectBroken(FileEntry("a/f", {Unit(1)}), "duplicate");
  ExpectBroken(FileEntry("a", {Unit(1)}), "duplicate");
  ExpectBroken(MkdirEntry("a/f"), "duplicate");
}

TEST_F(LogPlayerTest, ARepeatedPlainMkdirChangesNothing) {
  Must(MkdirEntry("a"));
  MediaEntry again = MkdirEntry("a");
  again.mkdir.mode = 0;
  Must(again);
  EXPECT_EQ(player_.tree().FindPath("a")->owner.mode, 0755U);
  EXPECT_EQ(player_.next_index(), 2U);
}

TEST_F(LogPlayerTest, TheMetaFilesCannotBeMadeByEntries) {
  ExpectBroken(FileEntry(".meta/.superblock", {Unit(0)}), "reserved");
  ExpectBroken(FileEntry(".meta/.log", {Unit(0)}), "reserved");
  Must(MkdirEntry(".meta"));
  Must(FileEntry(".meta/.alloc.cfg", {Unit(0)}));
}

TEST_F(LogPlayerTest, AnOverlapGivesBackWhatItTook) {
  Must(FileEntry("f", {Unit(4)}));
  ExpectBroken(FileEntry("g", {Unit(0), Unit(3, 2)}), "overlap");
  Must(FileEntry("h", {Unit(0), Unit(3)}));
}

TEST_F(LogPlayerTest, OtherDevicesAreAddedInOrderAndHaveTheirOwnSpace) {
  ExpectBroken(FileEntry("f", {{1, 0, kAllocUnit}}), "device");
  ExpectBroken(DaxdevEntry(2, 1, kGiB), "device");
  ExpectBroken(DaxdevEntry(1, 0x22, kGiB), "device");  // the primary's uuid
  Must(DaxdevEntry(1, 1, kGiB));
  ExpectBroken(DaxdevEntry(2, 1, kGiB), "device");
  const std::uint64_t free = player_.allocator().free_bytes();
  Must(FileEntry("f", {{1, kImageData, kAllocUnit}}));
  EXPECT_EQ(player_.allocator().free_bytes(), free);
  ExpectBroken(FileEntry("g", {{1, kImageData, kAllocUnit}}), "overlap");
  ExpectBroken(FileEntry("g", {{1, kGiB, kAllocUnit}}), "extent");
  Must(FileEntry("g", {{0, kImageData, kAllocUnit}}));
  EXPECT_NE(player_.tree().FindPath("f"), nullptr);
}

TEST_F(LogPlayerTest, TheTableOfDevicesIsBounded) {
  for (std::uint32_t i = 1; i < kMaxDevices; ++i) {
    Must(DaxdevEntry(i, static_cast<std::uint8_t>(100 + i), kGiB));
  }
  ExpectBroken(DaxdevEntry(kMaxDevices, 1, kGiB), "device");
}

TEST_F(LogPlayerTest, AVolumeIsFoundByItsName) {
  MakeVolume("h1-x", "pvc-1", 0);
  Must(MkdirEntry("h1-x/sub"));
  const Node* volume = player_.tree().FindVolume("pvc-1");
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->name, "h1-x");
  const Node* sub = player_.tree().FindPath("h1-x/sub");
  EXPECT_EQ(player_.tree().VolumeOf(sub->id), volume);
  EXPECT_EQ(player_.tree().VolumeOf(kRootNode), nullptr);
  EXPECT_EQ(player_.tree().volumes().size(), 1U);
}

TEST_F(LogPlayerTest, VolumesLieAtTheRootUnderNamesOfTheirOwn) {
  Must(MkdirEntry("plain"));
  MakeVolume("v", "pvc", 0);
  ExpectBroken(VolumeEntry("plain/v", Attributes("other")), "volume", "root");
  ExpectBroken(VolumeEntry("w", Attributes("pvc")), "volume", "live volume");
  ExpectBroken(VolumeEntry("plain", Attributes("other")), "volume", "ordinary");
  VolumeAttributes snapshot = Attributes("pvc");
  snapshot.kind = VolumeKind::kSnapshot;
  Must(VolumeEntry("s", snapshot));
}

TEST_F(LogPlayerTest, RevisionsIncreaseByOne) {
  MakeVolume("v", "pvc", 0);
  VolumeAttributes next = Attributes("pvc");
  ExpectBroken(VolumeEntry("v", next), "revision");
  next.revision = 3;
  ExpectBroken(VolumeEntry("v", next), "revision");
  next.revision = 2;
  next.name = "another";
  ExpectBroken(VolumeEntry("v", next), "revision");
  next.name = "pvc";
  next.state = VolumeState::kSealed;
  MediaEntry sealed = VolumeEntry("v", next);
  sealed.mkdir.mode = 0500;
  Must(sealed);
  const Node* volume = player_.tree().FindVolume("pvc");
  EXPECT_EQ(volume->volume->state, VolumeState::kSealed);
  EXPECT_EQ(volume->owner.mode, 0500U);
}

// After a compaction a volume's first entry has the revision that it had.
TEST_F(LogPlayerTest, AFirstEntryMayHaveAnyRevision) {
  VolumeAttributes later = Attributes("pvc");
  later.revision = 9;
  Must(VolumeEntry("v", later));
  Must(Deletion("v", "pvc", 10));
  ExpectBroken(Deletion("never-made", "x", 1), "revision");
}

TEST_F(LogPlayerTest, ADeletedVolumeIsGoneButItsSpaceStaysTaken) {
  const std::uint64_t free = player_.allocator().free_bytes();
  MakeVolume("v", "pvc", 0);
  Must(Deletion("v", "pvc", 2));
  EXPECT_EQ(player_.tree().FindPath("v"), nullptr);
  EXPECT_EQ(player_.tree().FindVolume("pvc"), nullptr);
  EXPECT_TRUE(player_.tree().volumes().empty());
  EXPECT_EQ(player_.allocator().free_bytes(), free - kAllocUnit);
  EXPECT_EQ(player_.pending_bytes(), kAllocUnit);
  EXPECT_TRUE(player_.PathInUse("v"));
  EXPECT_TRUE(player_.PathInUse("v/anything"));
  ExpectBroken(MkdirEntry("v"), "dead");
  ExpectBroken(FileEntry("v/data", {Unit(1)}), "dead");
  ExpectBroken(Deletion("v", "pvc", 3), "dead");
  ExpectBroken(FileEntry("f", {Unit(0)}), "overlap");

  MakeVolume("v2", "pvc", 1);  // the name is free again
  EXPECT_EQ(player_.pending().at("v").deletion_number, 1U);
  player_.ForgetDead({"another"}, 5);
  EXPECT_TRUE(player_.PathInUse("v"));
  player_.ForgetDead({"v"}, 2);
  EXPECT_EQ(player_.next_index(), 2U);
  EXPECT_EQ(player_.pending_bytes(), 0U);
  EXPECT_FALSE(player_.PathInUse("v"));
  EXPECT_EQ(player_.allocator().free_bytes(), free - kAllocUnit);
}

TEST_F(LogPlayerTest, BadAttributesAreAnError) {
  MediaEntry entry = VolumeEntry("v", Attributes("pvc"));
  entry.mkdir.extension[8] = std::byte{77};  // the kind
  ExpectBroken(entry, "attributes");
}

TEST_F(LogPlayerTest, AttributesOfANewerVersionAskForANewerProgram) {
  MediaEntry entry = VolumeEntry("v", Attributes("pvc"));
  entry.mkdir.extension[4] = std::byte{3};  // the version
  const absl::Status status = Play(entry);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << Message(status);
  EXPECT_THAT(std::string(Message(status)), StartsWith("entry 0: version: "));
}

TEST_F(LogPlayerTest, ChangesAreKeptOnDemandAndToldOnce) {
  Must(MkdirEntry("before"));
  EXPECT_TRUE(player_.TakeChanges().empty());
  player_.RecordChanges();
  MakeVolume("v", "pvc", 0);
  const NodeId volume = player_.tree().FindPath("v")->id;
  const NodeId data = player_.tree().FindPath("v/data")->id;
  Must(Deletion("v", "pvc", 2));
  const std::vector<Change> changes = player_.TakeChanges();
  ASSERT_EQ(changes.size(), 4U);
  EXPECT_EQ(changes[0].kind, Change::Kind::kAdded);
  EXPECT_EQ(changes[0].id, volume);
  EXPECT_EQ(changes[0].parent, kRootNode);
  EXPECT_EQ(changes[1].name, "data");
  EXPECT_EQ(changes[2].kind, Change::Kind::kRemoved);
  EXPECT_EQ(changes[2].id, data);
  EXPECT_EQ(changes[2].parent, volume);
  EXPECT_EQ(changes[3].id, volume);
  EXPECT_TRUE(player_.TakeChanges().empty());
}

}  // namespace
}  // namespace famfs::testing
