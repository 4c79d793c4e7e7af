// Damaged tree volumes: what is whole comes out at its own place, and no byte
// of a file at another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "instance/log/salvage.h"
#include "instance/reader/reader.h"
#include "raw_image.h"
#include "raw_tree.h"

namespace famfs::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr TreeId kA = 0xa;
constexpr TreeId kB = 0xb;
constexpr TreeId kC = 0xc;

class SalvageTreeTest : public ::testing::Test {
 protected:
  void Open() {
    auto reader =
        Reader::OpenSalvaged(std::make_shared<DeviceSet>(image_.Open()));
    ASSERT_TRUE(reader.ok()) << Message(reader.status());
    reader_ = *std::move(reader);
  }
  void OpenDamaged(std::initializer_list<std::uint64_t> entries) {
    for (const std::uint64_t entry : entries) {
      image_.FlipBit(kLogOffset + EntryAt(entry) + 45, 3);
    }
    Open();
  }
  /// "entry 3: crc", ...
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    const DamageList damage = reader_->Damage();
    for (const Finding& finding : damage.findings()) {
      told.push_back(fmt::format("entry {}: {}", finding.entry.value_or(999),
                                 finding.rule));
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
  std::vector<MediaExtent> ExtentsOf(const std::string& path) {
    const auto tree = reader_->Tree();
    const famfs::Node* const node = tree->FindPath(path);
    EXPECT_NE(node, nullptr) << path;
    if (node == nullptr) return {};
    return {node->extents.begin(), node->extents.end()};
  }
  std::uint64_t SizeOf(const std::string& path) {
    const auto tree = reader_->Tree();
    const famfs::Node* const node = tree->FindPath(path);
    return node == nullptr ? 999 : node->size;
  }
  void Volume() { image_.Append(TreeVolumeEntry("v")); }
  void Node(TreeId id, const NodeRecord& record) {
    image_.Append(NodeEntry("v", id, record));
  }
  void Piece(TreeId id, std::uint32_t number, std::uint64_t unit) {
    image_.Append(PieceEntry("v", id, number, {Unit(unit)}));
  }
  /// As a writer has a file grow by one unit.
  void Grow(TreeId id, NodeRecord& record, std::uint64_t unit) {
    Piece(id, record.next_piece, unit);
    record = Later(record);
    ++record.next_piece;
    record.size += kAllocUnit;
    Node(id, record);
  }

  RawImage image_;
  std::unique_ptr<Reader> reader_;
};

TEST_F(SalvageTreeTest, AWholeOneHasNoDamage) {
  Volume();
  NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);
  Grow(kA, file, 0);
  Grow(kA, file, 1);
  Open();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(ExtentsOf("v/f"), ElementsAre(Unit(0), Unit(1)));
}

TEST_F(SalvageTreeTest, OfADamagedDirectoryRecordTheContentsStandAtTheRoot) {
  Volume();                                     // 0
  Node(kA, DirectoryRecord(kVolumeRoot, "d"));  // 1
  Node(kB, FileRecord(kA, "f"));                // 2
  Piece(kB, 0, 0);                              // 3
  Node(kB, Later(FileRecord(kA, "f", 5, 1)));   // 4
  OpenDamaged({1});
  EXPECT_THAT(Told(), ElementsAre("entry 1: crc", "entry 2: parent"));
  EXPECT_THAT(Paths(), UnorderedElementsAre("v", "v/lost.000000000000000a",
                                            "v/lost.000000000000000a/f"));
  EXPECT_EQ(SizeOf("v/lost.000000000000000a/f"), 5U);
  const auto tree = reader_->Tree();
  EXPECT_EQ(tree->FindPath("v/lost.000000000000000a")->owner,
            (Ownership{0, 0, 0700}));
}

TEST_F(SalvageTreeTest, ALaterRecordGivesTheDirectoryItsNameBack) {
  Volume();
  Node(kA, DirectoryRecord(kVolumeRoot, "d"));
  Node(kB, FileRecord(kA, "f"));
  Node(kA, Later(DirectoryRecord(kVolumeRoot, "renamed")));
  OpenDamaged({1});
  EXPECT_THAT(Paths(), UnorderedElementsAre("v", "v/renamed", "v/renamed/f"));
}

TEST_F(SalvageTreeTest, PiecesOfADamagedRecordAreNotGivenOut) {
  Volume();                                // 0
  Node(kA, FileRecord(kVolumeRoot, "f"));  // 1
  Piece(kA, 0, 0);                         // 2
  OpenDamaged({1});
  EXPECT_THAT(Told(), ElementsAre("entry 1: crc", "entry 2: piece"));
  EXPECT_THAT(Paths(), UnorderedElementsAre("v"));
}

TEST_F(SalvageTreeTest, NorWhenALaterRecordNamesTheFile) {
  Volume();  // 0
  NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);     // 1
  Grow(kA, file, 0);  // 2, 3
  Grow(kA, file, 1);  // 4, 5
  OpenDamaged({1});
  // Its first piece is lost, so the second has no place.
  EXPECT_THAT(ExtentsOf("v/f"), IsEmpty());
  EXPECT_EQ(SizeOf("v/f"), 0U);
  EXPECT_THAT(Told(), Contains("entry 4: piece"));
}

TEST_F(SalvageTreeTest, AFileEndsBeforeItsDamagedPiece) {
  Volume();  // 0
  NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);     // 1
  Grow(kA, file, 0);  // 2, 3
  Grow(kA, file, 1);  // 4, 5
  Grow(kA, file, 2);  // 6, 7
  OpenDamaged({4});
  EXPECT_THAT(ExtentsOf("v/f"), ElementsAre(Unit(0)));
  EXPECT_EQ(SizeOf("v/f"), kAllocUnit);
  EXPECT_THAT(Told(), ElementsAre("entry 4: crc", "entry 6: piece"));
}

TEST_F(SalvageTreeTest, AlsoWhenItsRecordIsDamagedToo) {
  Volume();  // 0
  NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);     // 1
  Grow(kA, file, 0);  // 2, 3
  Grow(kA, file, 1);  // 4, 5
  Grow(kA, file, 2);  // 6, 7
  OpenDamaged({4, 5});
  EXPECT_THAT(ExtentsOf("v/f"), ElementsAre(Unit(0)));
}

TEST_F(SalvageTreeTest, InACompactedLogItEndsThereToo) {
  Volume();                                                      // 0
  Node(kA, Later(FileRecord(kVolumeRoot, "f", 5 << 20, 3), 6));  // 1
  Piece(kA, 0, 0);                                               // 2
  Piece(kA, 1, 1);                                               // 3
  image_.Append(PieceEntry("v", kA, 2, {Unit(2, 2)}));           // 4
  // As large as its size without the lost one.
  OpenDamaged({3});
  EXPECT_THAT(ExtentsOf("v/f"), ElementsAre(Unit(0)));
  EXPECT_THAT(Told(), ElementsAre("entry 3: crc", "entry 4: piece"));
}

TEST_F(SalvageTreeTest, GapsThatACutLeftAreNoDamage) {
  Volume();                                                             // 0
  Node(kC, DirectoryRecord(kVolumeRoot, "lost"));                       // 1
  Node(kA, Later(FileRecord(kVolumeRoot, "f", 2 * kAllocUnit, 6), 6));  // 2
  Piece(kA, 0, 0);                                                      // 3
  Piece(kA, 5, 1);                                                      // 4
  OpenDamaged({1});
  EXPECT_THAT(ExtentsOf("v/f"), ElementsAre(Unit(0), Unit(1)));
}

TEST_F(SalvageTreeTest, OfAFileWhoseCutIsDamagedNothingIsGivenOut) {
  Volume();  // 0
  NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);     // 1
  Grow(kA, file, 0);  // 2, 3
  Grow(kA, file, 1);  // 4, 5
  file = Later(file);
  file.truncation = 1;
  file.kept_pieces = 0;
  file.deletion_number = 1;
  file.size = 0;
  Node(kA, file);  // 6
  file.deletion_number = 0;
  Grow(kA, file, 2);  // 7, 8
  Grow(kA, file, 3);  // 9, 10
  OpenDamaged({6});
  EXPECT_THAT(ExtentsOf("v/f"), IsEmpty());
  EXPECT_EQ(SizeOf("v/f"), 0U);
  EXPECT_THAT(Told(), Contains("entry 8: piece"));
}

TEST_F(SalvageTreeTest, ACutAfterwardsHealsTheFile) {
  Volume();  // 0
  NodeRecord file = FileRecord(kVolumeRoot, "f");
  Node(kA, file);     // 1
  Grow(kA, file, 0);  // 2, 3
  Grow(kA, file, 1);  // 4, 5
  Grow(kA, file, 2);  // 6, 7
  file = Later(file);
  file.truncation = 1;
  file.kept_pieces = 1;
  file.deletion_number = 1;
  file.size = kAllocUnit;
  Node(kA, file);  // 8
  file.deletion_number = 0;
  file.kept_pieces = 0;
  Grow(kA, file, 3);  // 9, 10
  OpenDamaged({4});
  EXPECT_THAT(ExtentsOf("v/f"), ElementsAre(Unit(0), Unit(3)));
}

TEST_F(SalvageTreeTest, AfterADamagedRemovalTheLaterFileHasTheName) {
  Volume();                                         // 0
  Node(kA, FileRecord(kVolumeRoot, "f"));           // 1
  Node(kA, Removed(FileRecord(kVolumeRoot, "f")));  // 2
  Node(kB, DirectoryRecord(kVolumeRoot, "f"));      // 3
  OpenDamaged({2});
  EXPECT_THAT(Paths(),
              UnorderedElementsAre("v", "v/f", "v/lost.000000000000000a"));
  EXPECT_TRUE(reader_->Tree()->FindPath("v/f")->is_directory);
}

TEST_F(SalvageTreeTest, ADamagedRenameMakesNoCycle) {
  Volume();                                            // 0
  Node(kA, DirectoryRecord(kVolumeRoot, "a"));         // 1
  Node(kB, DirectoryRecord(kA, "b"));                  // 2
  Node(kB, Later(DirectoryRecord(kVolumeRoot, "b")));  // 3
  Node(kA, Later(DirectoryRecord(kB, "a")));           // 4
  OpenDamaged({3});
  EXPECT_THAT(Paths(), UnorderedElementsAre("v", "v/lost.000000000000000b",
                                            "v/lost.000000000000000b/a"));
}

TEST_F(SalvageTreeTest, OfADamagedVolumeEntryTheNodesStand) {
  Volume();                                     // 0
  Node(kA, DirectoryRecord(kVolumeRoot, "d"));  // 1
  NodeRecord file = FileRecord(kA, "f");
  Node(kB, file);     // 2
  Grow(kB, file, 0);  // 3, 4
  OpenDamaged({0});
  EXPECT_THAT(Paths(), UnorderedElementsAre("v", "v/d", "v/d/f"));
  EXPECT_THAT(ExtentsOf("v/d/f"), ElementsAre(Unit(0)));
  EXPECT_EQ(SizeOf("v/d/f"), kAllocUnit);
}

TEST_F(SalvageTreeTest, OfADamagedVolumeAndRecordNoPieceIsAPlainFile) {
  Volume();                                // 0
  Node(kA, FileRecord(kVolumeRoot, "f"));  // 1
  Piece(kA, 0, 0);                         // 2
  Node(kB, FileRecord(kVolumeRoot, "g"));  // 3
  OpenDamaged({0, 1});
  EXPECT_THAT(Paths(), UnorderedElementsAre("v", "v/g"));
}

TEST_F(SalvageTreeTest, ALaterVolumeEntryIsTakenUp) {
  Volume();                                      // 0
  Node(kA, FileRecord(kVolumeRoot, "f"));        // 1
  image_.Append(TreeVolumeEntry("v", kGiB, 2));  // 2
  OpenDamaged({0});
  const auto tree = reader_->Tree();
  ASSERT_NE(tree->FindVolume("pvc-v"), nullptr);
  EXPECT_EQ(tree->FindVolume("pvc-v")->volume->revision, 2U);
  EXPECT_NE(tree->FindPath("v/f"), nullptr);
}

TEST_F(SalvageTreeTest, ADeletedVolumeOfADamagedEntryIsGone) {
  Volume();                                                             // 0
  Node(kA, FileRecord(kVolumeRoot, "f"));                               // 1
  Piece(kA, 0, 0);                                                      // 2
  image_.Append(TreeVolumeEntry("v", kGiB, 2, VolumeState::kDeleted));  // 3
  OpenDamaged({0});
  EXPECT_THAT(Paths(), IsEmpty());
}

// Whatever entries are damaged: a file's extents are those it had at some
// moment, from its beginning on, and never another one's.
TEST_F(SalvageTreeTest, NoFileHasBytesOfAnotherPlace) {
  Volume();
  std::vector<NodeRecord> files;
  for (TreeId id = 0; id < 3; ++id) {
    files.push_back(FileRecord(kVolumeRoot, fmt::format("f{}", id)));
    Node(kA + id, files.back());
  }
  // Unit 10 f + n is byte n * 2 MiB of file f.
  for (std::uint64_t n = 0; n < 6; ++n) {
    for (TreeId id = 0; id < 3; ++id) Grow(kA + id, files[id], 10 * id + n);
  }
  const std::uint64_t entries = image_.header().next_index;
  constexpr std::uint32_t kSeed = 5;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    std::set<std::uint64_t> damaged;
    for (unsigned i = random() % 4; i-- > 0;)
      damaged.insert(random() % entries);
    for (const std::uint64_t entry : damaged) {
      image_.FlipBit(kLogOffset + EntryAt(entry) + 45, 3);
    }
    Open();
    const auto tree = reader_->Tree();
    for (const auto& [id, node] : tree->nodes()) {
      if (node->tree == nullptr || node->is_directory) continue;
      const std::uint64_t file = node->tree->id - kA;
      for (std::uint64_t n = 0; n < node->extents.size(); ++n) {
        ASSERT_EQ(node->extents[n], Unit(10 * file + n))
            << "round " << round << ", seed " << kSeed;
      }
      ASSERT_LE(node->size, node->extents.size() * kAllocUnit);
    }
    for (const std::uint64_t entry : damaged) {
      image_.FlipBit(kLogOffset + EntryAt(entry) + 45, 3);
    }
  }
}

}  // namespace
}  // namespace famfs::testing
