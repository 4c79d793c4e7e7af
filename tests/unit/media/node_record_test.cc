#include "media/node_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "media/checksum.h"
#include "media/rules.h"
#include "media/volume_attributes.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();

NodeRecord File() {
  return {.kind = NodeKind::kFile,
          .state = NodeState::kRemoved,
          .revision = 3,
          .parent = 0x1122334455667788,
          .name = "model-00001.safetensors",
          .target = "",
          .size = 5'000'000,
          .reach = 6'000'000,
          .truncation = 7,
          .kept_pieces = 2,
          .next_piece = 9,
          .mtime_ns = 1'700'000'000'123'456'789,
          .ctime_ns = -5,
          .deletion_number = 17,
          .request = {.session = 0xabcdef01, .number = 42}};
}

NodeRecord Of(NodeKind kind, std::string name) {
  NodeRecord record;
  record.kind = kind;
  record.name = std::move(name);
  return record;
}

NodeRecord Link() {
  NodeRecord record = Of(NodeKind::kSymlink, "latest");
  record.parent = 5;
  record.target = "../v1/model";
  return record;
}

NodeRecord Directory() { return Of(NodeKind::kDirectory, "d"); }

MediaMkdir Encoded(const NodeRecord& record) {
  MediaMkdir mkdir{};
  const absl::Status status = EncodeNodeRecord(record, mkdir);
  EXPECT_TRUE(status.ok()) << Message(status);
  return mkdir;
}

void Set(MediaMkdir& mkdir, std::size_t offset, std::uint64_t value,
         std::size_t width) {
  std::memcpy(mkdir.extension + offset, &value, width);
}

std::string Text(const absl::Status& status) {
  return std::string(Message(status));
}

void ExpectComesBack(const NodeRecord& record) {
  const auto decoded = DecodeNodeRecord(Encoded(record));
  ASSERT_TRUE(decoded.ok()) << Message(decoded.status());
  EXPECT_EQ(*decoded, record);
}

TEST(NodeRecordTest, ComesBack) {
  for (const NodeRecord& record :
       {File(), Link(), Directory(), Of(NodeKind::kFile, "an empty file")}) {
    ExpectComesBack(record);
  }
}

TEST(NodeRecordTest, EachFieldsLimitsComeBack) {
  NodeRecord record = File();
  record.revision = std::numeric_limits<std::uint32_t>::max();
  record.parent = std::numeric_limits<std::uint64_t>::max();
  record.size = record.reach = kMaxSize;
  record.truncation = record.kept_pieces = record.next_piece =
      std::numeric_limits<std::uint32_t>::max();
  record.mtime_ns = std::numeric_limits<std::int64_t>::min();
  record.ctime_ns = std::numeric_limits<std::int64_t>::max();
  record.deletion_number = std::numeric_limits<std::uint64_t>::max();
  record.request = {std::numeric_limits<std::uint32_t>::max(),
                    std::numeric_limits<std::uint64_t>::max()};
  record.name = std::string(kMaxNodeName, '\xff');
  ExpectComesBack(record);
  record.reach = 0;  // a hole at the end: nobody was allowed to store there
  ExpectComesBack(record);
}

TEST(NodeRecordTest, NamesAndTargetsOfAllLengthsThatFitComeBack) {
  for (std::size_t name = 1; name <= kMaxNodeName; ++name) {
    NodeRecord record = Link();
    record.name.assign(name, 'n');
    record.target.assign(kMaxNodeText - name, 't');
    ExpectComesBack(record);
    record.target += 't';
    MediaMkdir mkdir{};
    EXPECT_TRUE(absl::IsOutOfRange(EncodeNodeRecord(record, mkdir)));
    record = Directory();
    record.name.assign(name, '\n');
    ExpectComesBack(record);
  }
}

// docs/format.md has this table: a change here is a change of the format.
TEST(NodeRecordTest, LiesWhereTheFormatPageSays) {
  const MediaMkdir mkdir = Encoded(File());
  const auto at = [&](std::size_t offset, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, mkdir.extension + offset, width);
    return value;
  };
  EXPECT_EQ(std::memcmp(mkdir.extension, "FMND", 4), 0);
  EXPECT_EQ(at(4, 2), 1U);
  EXPECT_EQ(at(6, 2), 88U + 23);
  EXPECT_EQ(at(8, 1), 2U);
  EXPECT_EQ(at(9, 1), 2U);
  EXPECT_EQ(at(10, 2), 23U);
  EXPECT_EQ(at(12, 4), 3U);
  EXPECT_EQ(at(16, 8), 0x1122334455667788U);
  EXPECT_EQ(at(24, 8), 5'000'000U);
  EXPECT_EQ(at(32, 8), 6'000'000U);
  EXPECT_EQ(at(40, 8), 1'700'000'000'123'456'789U);
  EXPECT_EQ(at(48, 8), static_cast<std::uint64_t>(-5));
  EXPECT_EQ(at(56, 8), 17U);
  EXPECT_EQ(at(64, 8), 42U);
  EXPECT_EQ(at(72, 4), 0xabcdef01U);
  EXPECT_EQ(at(76, 4), 7U);
  EXPECT_EQ(at(80, 4), 2U);
  EXPECT_EQ(at(84, 4), 9U);
  EXPECT_EQ(std::memcmp(mkdir.extension + 88, "model-00001", 11), 0);
  const MediaMkdir link = Encoded(Link());
  EXPECT_EQ(std::memcmp(link.extension + 88, "latest../v1/model", 18), 0);
}

TEST(NodeRecordTest, OfAnythingElseIsNone) {
  EXPECT_EQ(*DecodeNodeRecord(MediaMkdir{}), std::nullopt);
  MediaMkdir mkdir{};
  std::memset(mkdir.extension, 0xab, kExtensionSize);
  EXPECT_EQ(*DecodeNodeRecord(mkdir), std::nullopt);
  VolumeAttributes attributes;
  attributes.name = "pvc";
  attributes.capacity = kAllocUnit;
  ASSERT_TRUE(EncodeVolumeAttributes(attributes, mkdir).ok());
  EXPECT_EQ(*DecodeNodeRecord(mkdir), std::nullopt);
  EXPECT_EQ(*DecodeVolumeAttributes(Encoded(File())), std::nullopt);
}

TEST(NodeRecordTest, NewerVersionAsksForANewerProgram) {
  MediaMkdir mkdir = Encoded(File());
  Set(mkdir, 4, 2, 2);
  Set(mkdir, 8, 99, 1);  // whatever that may mean there
  const absl::Status status = DecodeNodeRecord(mkdir).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Text(status), HasSubstr("version 2"));
}

struct DamageCase {
  const char* name;
  NodeRecord (*record)();
  std::size_t offset;
  std::uint64_t value;
  std::size_t width;
  const char* message;
};

void PrintTo(const DamageCase& c, std::ostream* os) { *os << c.name; }

class DamagedNodeRecordTest : public ::testing::TestWithParam<DamageCase> {};

TEST_P(DamagedNodeRecordTest, IsDataLoss) {
  MediaMkdir mkdir = Encoded(GetParam().record());
  Set(mkdir, GetParam().offset, GetParam().value, GetParam().width);
  const absl::Status status = DecodeNodeRecord(mkdir).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << Text(status);
  EXPECT_THAT(Text(status), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, DamagedNodeRecordTest,
    ::testing::Values(
        DamageCase{"VersionZero", File, 4, 0, 2, "version is 0"},
        DamageCase{"LengthZero", File, 6, 0, 2, "length 0"},
        DamageCase{"LengthOfTheHead", File, 6, 88, 2, "length 88"},
        DamageCase{"LengthShorterThanTheName", File, 6, 110, 2, "length 110"},
        DamageCase{"LengthPastTheField", File, 6, 429, 2, "length 429"},
        DamageCase{"LengthHuge", File, 6, 0xffff, 2, "length 65535"},
        DamageCase{"LengthOfALinkShorter", Link, 6, 100, 2, "are set"},
        DamageCase{"KindZero", File, 8, 0, 1, "kind is 0"},
        DamageCase{"KindUnknown", File, 8, 4, 1, "kind is 4"},
        DamageCase{"StateZero", File, 9, 0, 1, "state is 0"},
        DamageCase{"StateUnknown", File, 9, 3, 1, "state is 3"},
        DamageCase{"RevisionZero", File, 12, 0, 4, "revision 0"},
        DamageCase{"NameEmpty", Link, 10, 0, 2, "'' is no name"},
        DamageCase{"NameShorter", File, 10, 22, 2, "target of 1 bytes"},
        DamageCase{"NameLonger", File, 10, 24, 2, "name of 24"},
        DamageCase{"NameHuge", File, 10, 0xffff, 2, "name of 65535"},
        DamageCase{"NameDot", Directory, 88, '.', 1, "'.' is no name"},
        DamageCase{"NameWithSlash", File, 90, '/', 1, "has a '/'"},
        DamageCase{"NameWithNul", File, 90, 0, 1, "has a '/' or a NUL"},
        DamageCase{"TargetWithNul", Link, 96, 0, 1, "has a NUL"},
        DamageCase{"TargetOfAFile", Link, 8, 2, 1, "only a link"},
        DamageCase{"TargetOfADirectory", Link, 8, 1, 1, "only a link"},
        DamageCase{"LinkWithoutTarget", Directory, 8, 3, 1, "is empty"},
        DamageCase{"SizeHuge", File, 24, kMaxSize + 1, 8, "size 9223372036854"},
        DamageCase{"ReachHuge", File, 32, kMaxSize + 1, 8, "or reach 92233720"},
        DamageCase{"SizeOfADirectory", Directory, 24, 1, 8, "only a file"},
        DamageCase{"ReachOfALink", Link, 32, 1, 8, "only a file"},
        DamageCase{"TruncationOfALink", Link, 76, 1, 4, "only a file"},
        DamageCase{"PiecesOfADirectory", Directory, 84, 1, 4, "only a file"},
        DamageCase{"MoreKeptThanThereWere", File, 80, 10, 4, "kept_pieces"},
        DamageCase{"KeptOfADirectory", Directory, 80, 1, 4, "kept_pieces"},
        DamageCase{"RemovedWithoutNumber", File, 56, 0, 8,
                   "without a deletion"},
        DamageCase{"LiveWithNumber", Directory, 56, 5, 8, "deletion number 5"},
        DamageCase{"TailSet", File, 427, 1, 1, "are set"}),
    [](const auto& test) { return test.param.name; });

TEST(NodeRecordTest, ThatCouldNotBeReadIsNotWritten) {
  const auto refused = [](NodeRecord record, void (*change)(NodeRecord&)) {
    change(record);
    MediaMkdir mkdir{};
    EXPECT_TRUE(absl::IsInvalidArgument(EncodeNodeRecord(record, mkdir)));
    EXPECT_EQ(*DecodeNodeRecord(mkdir), std::nullopt) << "left alone";
  };
  refused(File(), [](NodeRecord& r) { r.kind = NodeKind{0}; });
  refused(File(), [](NodeRecord& r) { r.state = NodeState{3}; });
  refused(File(), [](NodeRecord& r) { r.revision = 0; });
  refused(File(), [](NodeRecord& r) { r.name.clear(); });
  refused(File(), [](NodeRecord& r) { r.target = "t"; });
  refused(File(), [](NodeRecord& r) { r.size = kMaxSize + 1; });
  refused(File(), [](NodeRecord& r) { r.reach = kMaxSize + 1; });
  refused(File(), [](NodeRecord& r) { r.kept_pieces = 10; });
  refused(File(), [](NodeRecord& r) { r.deletion_number = 0; });
  refused(Link(), [](NodeRecord& r) { r.target.clear(); });
  refused(Link(), [](NodeRecord& r) { r.target[0] = '\0'; });
  refused(Link(), [](NodeRecord& r) { r.next_piece = 1; });
  refused(Link(), [](NodeRecord& r) { r.deletion_number = 1; });
  refused(Directory(), [](NodeRecord& r) { r.size = 1; });
}

TEST(NodeRecordTest, ALiveFileSaysUnderWhichNumberPiecesWereGivenUp) {
  NodeRecord record = File();
  record.state = NodeState::kLive;
  ExpectComesBack(record);
  record.truncation = 0;
  MediaMkdir mkdir{};
  EXPECT_TRUE(absl::IsInvalidArgument(EncodeNodeRecord(record, mkdir)));
}

// The record has no checksum: its entry's vouches for it.
TEST(NodeRecordTest, EveryBitIsUnderItsEntrysChecksum) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
  entry.mkdir.mode = 0644;
  NodeRecord longest = Link();
  longest.name.assign(kMaxNodeName, 'n');
  longest.target.assign(kMaxNodeText - kMaxNodeName, 't');
  SetPath(entry.mkdir.path,
          NodePath(std::string(kMaxTreeVolume, 'v'), 0xfedcba9876543210));
  ASSERT_TRUE(EncodeNodeRecord(longest, entry.mkdir).ok());
  Seal(entry);
  const auto check = [&] {
    return CheckEntry(entry, 0, 10 * kAllocUnit, kMinDeviceSize);
  };
  ASSERT_TRUE(check().ok()) << Text(check());
  for (std::size_t bit = 0; bit < kExtensionSize * 8; ++bit) {
    const auto mask = std::byte{1} << (bit % 8);
    entry.mkdir.extension[bit / 8] ^= mask;
    EXPECT_TRUE(absl::IsDataLoss(check())) << bit;
    entry.mkdir.extension[bit / 8] ^= mask;
  }
}

/// What is decoded encodes to the same bytes; what is refused has a reason.
void ExpectExact(const MediaMkdir& mkdir) {
  const auto decoded = DecodeNodeRecord(mkdir);
  if (!decoded.ok()) {
    EXPECT_TRUE(absl::IsDataLoss(decoded.status()) ||
                absl::IsFailedPrecondition(decoded.status()));
    return;
  }
  if (!decoded->has_value()) return;
  EXPECT_EQ(std::memcmp(Encoded(**decoded).extension, mkdir.extension,
                        kExtensionSize),
            0);
}

TEST(NodeRecordTest, WithAnyBitFlippedIsRefusedOrSaysJustThat) {
  for (const NodeRecord& record : {File(), Link(), Directory()}) {
    MediaMkdir mkdir = Encoded(record);
    for (std::size_t bit = 0; bit < kExtensionSize * 8; ++bit) {
      const auto mask = std::byte{1} << (bit % 8);
      mkdir.extension[bit / 8] ^= mask;
      ExpectExact(mkdir);
      const auto decoded = DecodeNodeRecord(mkdir);
      EXPECT_FALSE(decoded.ok() && *decoded == record) << bit;
      mkdir.extension[bit / 8] ^= mask;
    }
  }
}

TEST(NodeRecordTest, AnythingDecodedEncodesToTheSameBytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    MediaMkdir mkdir = Encoded(random() % 2 == 0 ? File() : Link());
    for (auto n = random() % 3; n < 3; ++n) {
      mkdir.extension[random() % 112] = static_cast<std::byte>(random());
    }
    ExpectExact(mkdir);
  }
}

TEST(NodeNameTest, IsOneOfAFileSystem) {
  for (const char* name : {"a", "...", ".hidden", " ", "\xff\n", "a.b", "\\"}) {
    EXPECT_TRUE(CheckNodeName(name).ok()) << name;
  }
  EXPECT_TRUE(CheckNodeName(std::string(255, 'n')).ok());
  const absl::Status longer = CheckNodeName(std::string(256, 'n'));
  EXPECT_TRUE(absl::IsOutOfRange(longer));
  EXPECT_THAT(Text(longer), HasSubstr("256 bytes is longer than 255"));
  using namespace std::string_view_literals;
  for (const std::string_view name :
       {""sv, "."sv, ".."sv, "/"sv, "a/b"sv, "a/"sv, "\0"sv, "a\0"sv}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckNodeName(name))) << name;
  }
}

TEST(TreePathTest, ComesBack) {
  constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
  EXPECT_EQ(NodePath("v", 0xab), "v/00000000000000ab");
  EXPECT_EQ(PiecePath("v", ~0ULL, 0), "v/ffffffffffffffff.0");
  const std::string longest =
      PiecePath(std::string(kMaxTreeVolume, 'v'), 1, kLast);
  EXPECT_EQ(longest.size(), kMaxPathLength);
  EXPECT_TRUE(CheckPath(longest).ok());
  const auto node = ParseTreeName("00000000000000ab");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->id, 0xabU);
  EXPECT_EQ(node->piece, std::nullopt);
  for (const std::uint32_t piece : {0U, 1U, 9U, 10U, 4'000'000'000U, kLast}) {
    const auto name = ParseTreeName(PiecePath("v", ~0ULL, piece).substr(2));
    ASSERT_TRUE(name) << piece;
    EXPECT_EQ(name->id, ~0ULL);
    EXPECT_EQ(name->piece, piece);
  }
}

TEST(TreePathTest, ParsesNothingElse) {
  using namespace std::string_view_literals;
  const std::string_view others[] = {"",
                                     "data",
                                     "0000000000000000",
                                     "0000000000000000.1",
                                     "00000000000000a",
                                     "00000000000000ab0",
                                     "00000000000000AB",
                                     "00000000000000ag",
                                     "0x000000000000ab",
                                     "+0000000000000ab",
                                     " 00000000000000a",
                                     "00000000000000a\0"sv,
                                     "00000000000000ab.",
                                     "00000000000000ab.01",
                                     "00000000000000ab.00",
                                     "00000000000000ab.+1",
                                     "00000000000000ab.-1",
                                     "00000000000000ab. 1",
                                     "00000000000000ab.1 ",
                                     "00000000000000ab.1a",
                                     "00000000000000ab.a",
                                     "00000000000000ab.1.2",
                                     "00000000000000ab.4294967296",
                                     "00000000000000ab.99999999999999999999",
                                     "00000000000000ab.1\0"sv,
                                     "00000000000000ab/1",
                                     "v/00000000000000ab"};
  for (const std::string_view other : others) {
    EXPECT_FALSE(ParseTreeName(other)) << other;
  }
}

MediaFile Piece(std::uint32_t mode, std::uint32_t uid, std::uint32_t gid) {
  MediaFile piece{};
  piece.mode = mode;
  piece.uid = uid;
  piece.gid = gid;
  SetPath(piece.path, "v/00000000000000ab.1");
  return piece;
}

TEST(PieceTest, TellsWhetherItIsDead) {
  EXPECT_EQ(*DeletionNumberOf(Piece(kLivePieceMode, 0, 0)), 0U);
  for (const std::uint64_t number :
       {1ULL, 0xffffffffULL, 0x100000000ULL, 0x123456789abcdef0ULL, ~0ULL}) {
    MediaFile piece = Piece(kLivePieceMode, 0, 0);
    MarkDeadPiece(number, piece);
    EXPECT_EQ(piece.mode, kDeadPieceMode);
    EXPECT_EQ(piece.uid, number & 0xffffffff);
    EXPECT_EQ(piece.gid, number >> 32);
    EXPECT_EQ(*DeletionNumberOf(piece), number);
  }
}

TEST(PieceTest, OfNeitherFormIsDataLoss) {
  for (const MediaFile& piece :
       {Piece(kLivePieceMode, 1, 0), Piece(kLivePieceMode, 0, 1),
        Piece(kDeadPieceMode, 0, 0), Piece(0644, 0, 0), Piece(01600, 1, 0),
        Piece(0, 0, 0)}) {
    const absl::Status status = DeletionNumberOf(piece).status();
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(Text(status), HasSubstr("v/00000000000000ab.1"));
  }
}

}  // namespace
}  // namespace famfs
