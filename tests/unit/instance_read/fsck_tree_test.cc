// Tree volumes that no writer makes: fsck names what is wrong, follows nothing
// of it, and a reader refuses the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "instance/check/fsck.h"
#include "instance/devices/mapped_file.h"
#include "instance/devices/metadata_store.h"
#include "instance/reader/reader.h"
#include "raw_image.h"
#include "raw_tree.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TreeId kA = 0xa;
constexpr TreeId kB = 0xb;
constexpr TreeId kC = 0xc;
constexpr std::size_t kNameAt = 88;  // of a record, docs/format.md

class FsckTreeTest : public ::testing::Test {
 protected:
  void SetUp() override { image_.Append(TreeVolumeEntry("v")); }

  void Node(TreeId id, const NodeRecord& record) {
    image_.Append(NodeEntry("v", id, record));
  }
  void Piece(TreeId id, std::uint32_t number, const MediaExtent& extent) {
    image_.Append(PieceEntry("v", id, number, {extent}));
  }
  std::vector<std::string> Fsck(DaxDevice& device) {
    report_ = famfs::Fsck(device);
    std::vector<std::string> lines;
    for (const Finding& finding : report_.findings) {
      lines.push_back(finding.ToString());
    }
    return lines;
  }
  std::vector<std::string> Fsck() { return Fsck(*image_.Open()); }
  absl::StatusOr<std::unique_ptr<Reader>> Open() {
    return Reader::Open(std::make_shared<DeviceSet>(image_.Open()));
  }
  /// The last entry breaks this rule, for fsck and for a reader.
  void ExpectBroken(const std::string& rule, const std::string& words) {
    const std::uint64_t last = image_.header().next_index - 1;
    EXPECT_THAT(Fsck(),
                ElementsAre(AllOf(
                    HasSubstr(fmt::format("error: entry {}: {}: ", last, rule)),
                    HasSubstr(words))));
    const absl::Status refused = Open().status();
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
    EXPECT_THAT(std::string(Message(refused)),
                HasSubstr(fmt::format("entry {}: {}: ", last, rule)));
  }

  RawImage image_;
  FsckReport report_;
};

TEST_F(FsckTreeTest, AGoodOneIsCountedAndClean) {
  Node(kA, DirectoryRecord(kVolumeRoot, "models"));
  Node(kB, FileRecord(kA, "weights.bin"));
  Piece(kB, 0, Unit(0));
  Node(kB, Later(FileRecord(kA, "weights.bin", 1000, 1)));
  Node(kC, LinkRecord(kA, "latest", "weights.bin"));
  EXPECT_THAT(Fsck(), IsEmpty());
  EXPECT_EQ(report_.files, 1U);
  EXPECT_EQ(report_.directories, 2U);  // and the volume's
  EXPECT_EQ(report_.symlinks, 1U);
  EXPECT_EQ(report_.volumes, 1U);
}

TEST_F(FsckTreeTest, ADirectoryWithinItselfIsACycle) {
  Node(kA, DirectoryRecord(kVolumeRoot, "a"));
  Node(kB, DirectoryRecord(kA, "b"));
  Node(kC, DirectoryRecord(kB, "c"));
  Node(kA, Later(DirectoryRecord(kC, "a")));
  ExpectBroken("cycle", "'a' would lie within itself");
  EXPECT_EQ(report_.directories, 4U);
}

TEST_F(FsckTreeTest, ADirectoryInItselfIsACycle) {
  Node(kA, DirectoryRecord(kVolumeRoot, "a"));
  Node(kA, Later(DirectoryRecord(kA, "a")));
  ExpectBroken("cycle", "'a' would lie within itself");
}

TEST_F(FsckTreeTest, ANewNodeInItselfHasNoParent) {
  Node(kA, DirectoryRecord(kA, "a"));
  ExpectBroken("parent", "which no entry made before");
}

TEST_F(FsckTreeTest, AFileIsNoParent) {
  Node(kA, FileRecord(kVolumeRoot, "a"));
  Node(kB, FileRecord(kA, "b"));
  ExpectBroken("parent", "is no directory");
}

TEST_F(FsckTreeTest, TwoNamesAlikeAreADuplicate) {
  Node(kA, FileRecord(kVolumeRoot, "name"));
  Node(kB, DirectoryRecord(kVolumeRoot, "name"));
  ExpectBroken("duplicate", "'v/name' has that name already");
}

TEST_F(FsckTreeTest, ARenameOntoAnotherIsADuplicate) {
  Node(kA, FileRecord(kVolumeRoot, "one"));
  Node(kB, FileRecord(kVolumeRoot, "two"));
  Node(kB, Later(FileRecord(kVolumeRoot, "one")));
  ExpectBroken("duplicate", "'v/one' has that name already");
}

TEST_F(FsckTreeTest, APieceOfNoFileIsNamed) {
  Piece(kA, 0, Unit(0));
  ExpectBroken("piece", "'v/000000000000000a.0' is of no file");
}

TEST_F(FsckTreeTest, APieceOfADirectoryIsOfNoFile) {
  Node(kA, DirectoryRecord(kVolumeRoot, "d"));
  Piece(kA, 0, Unit(0));
  ExpectBroken("piece", "is of no file");
}

TEST_F(FsckTreeTest, PiecesOutOfOrderAreNamed) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  Piece(kA, 1, Unit(0));
  Piece(kA, 0, Unit(1));
  ExpectBroken("piece", "'v/000000000000000a.0' comes after piece 1");
}

TEST_F(FsckTreeTest, APieceTwiceIsNamed) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  Piece(kA, 0, Unit(0));
  Piece(kA, 0, Unit(1));
  ExpectBroken("piece", "comes after piece 0");
}

TEST_F(FsckTreeTest, APieceOverAnothersIsAnOverlap) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  Node(kB, FileRecord(kVolumeRoot, "g"));
  Piece(kA, 0, Unit(0, 2));
  Piece(kB, 0, Unit(1));
  ExpectBroken("overlap", "");
}

TEST_F(FsckTreeTest, APieceWithAnOwnerIsNone) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  MediaEntry piece = PieceEntry("v", kA, 0, {Unit(0)});
  piece.file.uid = 7;
  image_.Append(piece);
  ExpectBroken("piece", "is no piece of a node");
}

TEST_F(FsckTreeTest, NamesThatNoFileMayHaveAreNamed) {
  const std::uint64_t index = image_.header().next_index;
  for (const std::string_view name :
       {std::string_view("a/b"), std::string_view("a\0b", 3),
        std::string_view("/.."), std::string_view("..")}) {
    SCOPED_TRACE(Printable(name));
    MediaEntry entry = NodeEntry(
        "v", kA, FileRecord(kVolumeRoot, std::string(name.size(), 'x')));
    std::memcpy(entry.mkdir.extension + kNameAt, name.data(), name.size());
    image_.Put(index, entry);  // with the right checksum
    image_.Publish(index + 1);
    ExpectBroken("record", "");
    EXPECT_EQ(report_.files, 0U);
  }
}

TEST_F(FsckTreeTest, NamesOf255BytesAreFine) {
  const std::string name(kMaxNodeName, 'n');
  Node(kA, DirectoryRecord(kVolumeRoot, name));
  Node(kB, FileRecord(kA, name));
  EXPECT_THAT(Fsck(), IsEmpty());
  const auto reader = Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_NE((*reader)->Tree()->FindPath("v/" + name + "/" + name), nullptr);
}

TEST_F(FsckTreeTest, AHundredLevelsAreFine) {
  std::string path = "v";
  for (TreeId level = 1; level <= 100; ++level) {
    Node(level, DirectoryRecord(level - 1, "d"));
    path += "/d";
  }
  EXPECT_THAT(Fsck(), IsEmpty());
  EXPECT_EQ(report_.directories, 101U);
  const auto reader = Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto tree = (*reader)->Tree();
  const famfs::Node* const deepest = tree->FindPath(path);
  ASSERT_NE(deepest, nullptr);
  EXPECT_EQ(tree->PathOf(*deepest), path);
}

TEST_F(FsckTreeTest, ARemovedNodeIsNotRemovedAgain) {
  const NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);
  Node(kA, Removed(file));
  Node(kA, Removed(Later(file)));
  ExpectBroken("revision", "is removed, but no entry made it");
}

TEST_F(FsckTreeTest, ADirectoryWithNamesInItIsNotRemoved) {
  Node(kA, DirectoryRecord(kVolumeRoot, "d"));
  Node(kB, FileRecord(kA, "f"));
  Node(kA, Removed(DirectoryRecord(kVolumeRoot, "d")));
  ExpectBroken("parent", "with 1 names in it");
}

TEST_F(FsckTreeTest, ARevisionDoesNotGoBack) {
  const NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, Later(file, 4));
  Node(kA, Later(file, 4));
  ExpectBroken("revision", "has the revision 5 after 5");
}

TEST_F(FsckTreeTest, AKindDoesNotChange) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  Node(kA, Later(DirectoryRecord(kVolumeRoot, "f")));
  ExpectBroken("kind", "changes its kind from 2 to 1");
}

TEST_F(FsckTreeTest, ARecordOutsideOfATreeVolumeIsNamed) {
  image_.Append(MkdirEntry("plain"));
  image_.Append(NodeEntry("plain", kA, FileRecord(kVolumeRoot, "f")));
  ExpectBroken("record", "lies in no tree volume");
}

TEST_F(FsckTreeTest, APlainDirectoryInOneIsNamed) {
  image_.Append(MkdirEntry("v/plain"));
  ExpectBroken("record", "'v/plain' in a tree volume has no node record");
}

TEST_F(FsckTreeTest, APlainFileInOneIsNamed) {
  image_.Append(FileEntry("v/data", {Unit(0)}));
  ExpectBroken("piece", "'v/data' in a tree volume is no piece");
}

TEST_F(FsckTreeTest, MorePiecesKeptThanThereAreIsNamed) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  Piece(kA, 0, Unit(0));
  NodeRecord cut = Later(FileRecord(kVolumeRoot, "f", 0, 3));
  cut.truncation = 1;
  cut.kept_pieces = 2;
  cut.deletion_number = 1;
  Node(kA, cut);
  ExpectBroken("piece", "contradicts revision 1");
}

TEST_F(FsckTreeTest, ASizeThatThePiecesDoNotHoldIsTold) {
  Node(kA, FileRecord(kVolumeRoot, "f"));
  Piece(kA, 0, Unit(0));
  Node(kA, Later(FileRecord(kVolumeRoot, "f", 2 * kAllocUnit, 1)));
  EXPECT_THAT(Fsck(),
              ElementsAre(AllOf(HasSubstr("error: size: file 'v/f'"),
                                HasSubstr("has 4194304 bytes by its record"),
                                HasSubstr("its 1 pieces hold 2097152"))));
  // Nobody reads beyond them.
  const auto reader = Open();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->Tree()->FindPath("v/f")->size, kAllocUnit);
}

TEST_F(FsckTreeTest, MoreBytesThanTheCapacityAreTold) {
  image_.Append(TreeVolumeEntry("w", 4 * kAllocUnit));
  image_.Append(NodeEntry("w", kA, FileRecord(kVolumeRoot, "f")));
  image_.Append(PieceEntry("w", kA, 0, {Unit(0, 3)}));
  image_.Append(PieceEntry("w", kA, 1, {Unit(3, 2)}));
  EXPECT_THAT(Fsck(),
              ElementsAre(AllOf(HasSubstr("error: quota: tree volume 'w'"),
                                HasSubstr("10485760 bytes"))));
}

TEST_F(FsckTreeTest, MoreNodesThanTheCapacityPromisesAreTold) {
  image_.Append(TreeVolumeEntry("w", kAllocUnit));  // 131 of the log's slots
  for (TreeId id = 1; id <= 132; ++id) {
    image_.Append(NodeEntry(
        "w", id, DirectoryRecord(kVolumeRoot, fmt::format("{}", id))));
  }
  EXPECT_THAT(
      Fsck(),
      ElementsAre(AllOf(HasSubstr("error: quota: tree volume 'w'"),
                        HasSubstr("132 nodes and pieces, more than the 131"))));
}

TEST_F(FsckTreeTest, AHundredThousandFilesInOneDirectory) {
  constexpr std::uint64_t kFiles = 100'000;
  constexpr std::uint64_t kLog = 64 * kMiB;
  MediaSuperblock super = image_.superblock();
  super.log_length = kLog;
  image_.SetSuperblock(super);
  image_.Put(0, TreeVolumeEntry("v", 128 * kGiB));
  image_.Put(1, NodeEntry("v", kA, DirectoryRecord(kVolumeRoot, "d")));
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    image_.Put(2 + i, NodeEntry("v", 0x1000 + i,
                                FileRecord(kA, fmt::format("file-{:06}", i))));
  }
  image_.SetHeader(MakeLogHeader(kLog, 2 + kFiles));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Fsck(), IsEmpty());
  const auto checked = std::chrono::steady_clock::now();
  const auto reader = Open();
  const auto read = std::chrono::steady_clock::now();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(report_.files, kFiles);
  EXPECT_NE((*reader)->Tree()->FindPath("v/d/file-099999"), nullptr);
  const auto seconds = [](auto from, auto to) {
    return std::chrono::duration<double>(to - from).count();
  };
  RecordProperty("fsck", fmt::format("{:.3f} s", seconds(begin, checked)));
  fmt::print("fsck {:.3f} s, read {:.3f} s\n", seconds(begin, checked),
             seconds(checked, read));
  // Far from what a square of it would take, also on a busy machine.
  EXPECT_LT(seconds(begin, checked), 20.0);
  EXPECT_LT(seconds(checked, read), 20.0);
}

// ---- the nodes' own files, on emulated devices

class EmulatedFsckTreeTest : public FsckTreeTest {
 protected:
  static constexpr const char* kFile = "v.000000000000000a";

  void SetUp() override {
    FsckTreeTest::SetUp();
    Node(kA, FileRecord(kVolumeRoot, "f"));
    Piece(kA, 0, Unit(0));
    Node(kA, Later(FileRecord(kVolumeRoot, "f", 5000, 1)));
    device_ = image_.OpenAsEmulated(path(), {});
  }
  std::string path() const { return directory_.path() + "/device"; }

  void Make(std::uint64_t size, const std::string& name = kFile) {
    ASSERT_TRUE(device_->CreateNodeFile(name).ok());
    ASSERT_TRUE(device_->ResizeNodeFile(name, size, 0).ok());
  }

  TemporaryDirectory directory_;
  std::shared_ptr<DaxDevice> device_;
};

TEST_F(EmulatedFsckTreeTest, OneOfTheRightSizeIsClean) {
  Make(5000);
  EXPECT_THAT(Fsck(*device_), IsEmpty());
}

TEST_F(EmulatedFsckTreeTest, ALongerOneWaitsForItsHost) {
  Make(6000);
  EXPECT_THAT(Fsck(*device_), IsEmpty());
}

TEST_F(EmulatedFsckTreeTest, AMissingOneNamesItsPath) {
  EXPECT_THAT(Fsck(*device_),
              ElementsAre(AllOf(HasSubstr("error: node_file: file 'v/f'"),
                                HasSubstr(kFile))));
}

TEST_F(EmulatedFsckTreeTest, AShorterOneIsUnfinished) {
  Make(4999);
  EXPECT_THAT(Fsck(*device_),
              ElementsAre(AllOf(HasSubstr("unfinished: node_file: "),
                                HasSubstr("has 4999 bytes, its record says "
                                          "5000"))));
}

TEST_F(EmulatedFsckTreeTest, OneThatNoRecordNamesIsUnfinished) {
  Make(5000);
  Make(1, "v.00000000000000ff");
  EXPECT_THAT(Fsck(*device_),
              ElementsAre(AllOf(HasSubstr("unfinished: node_file: "),
                                HasSubstr("is named by no record"))));
}

TEST_F(EmulatedFsckTreeTest, OneOfADamagedRecordIsKept) {
  Make(5000);
  Make(1, "v.00000000000000ff");
  const auto head = device_->Map(kLogOffset, kImageLog, Access::kReadWrite);
  ASSERT_TRUE(head.ok());
  (*head)->mutable_data()[EntryAt(3) + 45] ^= std::byte{8};
  EXPECT_THAT(Fsck(*device_),
              ElementsAre(HasSubstr("error: entry 3: crc: "),
                          AllOf(HasSubstr("error: unnamed: "),
                                HasSubstr("what entry 3 names"))));
}

TEST_F(EmulatedFsckTreeTest, ItsBytesAreTheFilesBytes) {
  Make(5000);
  std::ofstream(path() + "/files/" + kFile, std::ios::in | std::ios::binary)
      .seekp(4998)
      .write("yz", 2);
  auto devices = std::make_shared<DeviceSet>(device_);
  const auto reader = Reader::Open(devices);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto tree = (*reader)->Tree();
  const famfs::Node& file = *tree->FindPath("v/f");
  auto mapped = MappedFile::Map(*devices, file, Access::kReadWrite,
                                tree->NodeFileOf(file));
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  const MappedFile::Piece end = mapped->At(4998, 100);
  ASSERT_EQ(end.length, 2U);
  EXPECT_EQ(std::memcmp(end.mapping->data() + end.at, "yz", 2), 0);
  EXPECT_EQ(mapped->At(5000, 1).mapping, nullptr);
  // Cut while it is mapped: told, and no end of the program.
  ASSERT_TRUE(device_->ResizeNodeFile(kFile, 0, 0).ok());
  EXPECT_EQ(end.mapping->data()[end.at], std::byte{0});
  EXPECT_TRUE(absl::IsDataLoss(mapped->Check())) << mapped->Check();
}

TEST_F(EmulatedFsckTreeTest, AnEmptyFileNeedsNoMapping) {
  Make(0);
  auto devices = std::make_shared<DeviceSet>(device_);
  famfs::Node file;
  const auto mapped = MappedFile::Map(*devices, file, Access::kRead, kFile);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_EQ(mapped->At(0, 1).mapping, nullptr);
}

}  // namespace
}  // namespace famfs::testing
