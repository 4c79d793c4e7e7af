#include "media/volume_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "media/checksum.h"
#include "media/rules.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

VolumeAttributes Everything() {
  return {.name = "pvc-4f0c0f6e-5b1f-4f0d-8d53-2f2f0c1f7a11",
          .kind = VolumeKind::kSnapshot,
          .layout = VolumeLayout::kFile,
          .state = VolumeState::kDeleted,
          .data_path = DataPath::kCopy,
          .capacity = 5 * kAllocUnit,
          .interleave_strips = 4,
          .interleave_chunk = 2 * kAllocUnit,
          .content_source = "snapshot:abc",
          .created_unix_ns = 1'700'000'000'123'456'789,
          .revision = 3,
          .deletion_number = 17};
}

VolumeAttributes Smallest() {
  VolumeAttributes attributes;
  attributes.name = "a";
  attributes.capacity = kAllocUnit;
  return attributes;
}

VolumeAttributes Largest() {
  VolumeAttributes attributes = Everything();
  attributes.name = std::string(kMaxVolumeName, '\xff');
  attributes.content_source = std::string(kMaxContentSource, 's');
  return attributes;
}

VolumeAttributes Tree() {
  VolumeAttributes attributes = Everything();
  attributes.layout = VolumeLayout::kTree;
  attributes.interleave_strips = 0;
  attributes.interleave_chunk = 0;
  return attributes;
}

MediaMkdir Encoded(const VolumeAttributes& attributes) {
  MediaMkdir mkdir{};
  EXPECT_TRUE(EncodeVolumeAttributes(attributes, mkdir).ok());
  return mkdir;
}

void Set(MediaMkdir& mkdir, std::size_t offset, std::uint64_t value,
         std::size_t width) {
  std::memcpy(mkdir.extension + offset, &value, width);
}

TEST(VolumeAttributesTest, ComeBack) {
  for (const auto& attributes : {Everything(), Smallest(), Largest(), Tree()}) {
    const auto decoded = DecodeVolumeAttributes(Encoded(attributes));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, attributes);
  }
}

// docs/format.md has this table: a change here is a change of the format.
TEST(VolumeAttributesTest, LieWhereTheFormatPageSays) {
  const MediaMkdir mkdir = Encoded(Everything());
  const auto at = [&](std::size_t offset, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, mkdir.extension + offset, width);
    return value;
  };
  EXPECT_EQ(std::memcmp(mkdir.extension, "FMVL", 4), 0);
  EXPECT_EQ(at(4, 2), 1U);
  EXPECT_EQ(at(6, 2), 56U + 40 + 12);
  EXPECT_EQ(at(8, 1), 2U);
  EXPECT_EQ(at(9, 1), 1U);
  EXPECT_EQ(at(10, 1), 2U);
  EXPECT_EQ(at(11, 1), 3U);
  EXPECT_EQ(at(12, 4), 3U);
  EXPECT_EQ(at(16, 8), 5 * kAllocUnit);
  EXPECT_EQ(at(24, 8), 1'700'000'000'123'456'789U);
  EXPECT_EQ(at(32, 8), 17U);
  EXPECT_EQ(at(40, 8), 2 * kAllocUnit);
  EXPECT_EQ(at(48, 4), 4U);
  EXPECT_EQ(at(52, 2), 40U);
  EXPECT_EQ(at(54, 2), 12U);
  EXPECT_EQ(std::memcmp(mkdir.extension + 56, "pvc-4f0c", 8), 0);
  EXPECT_EQ(std::memcmp(mkdir.extension + 96, "snapshot:abc", 12), 0);
}

TEST(VolumeAttributesTest, OfAnOrdinaryDirectoryAreNone) {
  EXPECT_EQ(*DecodeVolumeAttributes(MediaMkdir{}), std::nullopt);
}

TEST(VolumeAttributesTest, AnotherProgramsExtensionIsNotOurs) {
  MediaMkdir mkdir{};
  std::memset(mkdir.extension, 0xab, kExtensionSize);
  EXPECT_EQ(*DecodeVolumeAttributes(mkdir), std::nullopt);
}

TEST(VolumeAttributesTest, NewerVersionAsksForANewerProgram) {
  MediaMkdir mkdir = Encoded(Everything());
  Set(mkdir, 4, 3, 2);
  const auto decoded = DecodeVolumeAttributes(mkdir);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(decoded.status())), HasSubstr("version 3"));
}

// Programs that know no tree volumes must not take one for a directory.
TEST(VolumeAttributesTest, OfATreeAreTheSameBytesInVersion2) {
  VolumeAttributes file = Tree();
  file.layout = VolumeLayout::kFile;
  MediaMkdir expected = Encoded(file);
  Set(expected, 4, 2, 2);
  Set(expected, 9, 2, 1);
  const MediaMkdir tree = Encoded(Tree());
  EXPECT_EQ(std::memcmp(tree.extension, expected.extension, kExtensionSize), 0);
}

TEST(VolumeAttributesTest, VersionAndLayoutThatDoNotBelongTogetherAreDamage) {
  MediaMkdir tree = Encoded(Tree());
  Set(tree, 4, 1, 2);
  MediaMkdir file = Encoded(Everything());
  Set(file, 4, 2, 2);
  for (const auto& [mkdir, text] :
       {std::pair(tree, "version is 1 with layout 2"),
        std::pair(file, "version is 2 with layout 1")}) {
    const absl::Status status = DecodeVolumeAttributes(mkdir).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(Message(status)), HasSubstr(text));
  }
}

TEST(VolumeAttributesTest, OfATreeWithStripsAreDamage) {
  MediaMkdir mkdir = Encoded(Tree());
  Set(mkdir, 40, kAllocUnit, 8);
  Set(mkdir, 48, 2, 4);
  const absl::Status status = DecodeVolumeAttributes(mkdir).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)),
              HasSubstr("interleave_strips is 2"));
}

struct DamageCase {
  const char* name;
  std::size_t offset;
  std::uint64_t value;
  std::size_t width;
};

void PrintTo(const DamageCase& c, std::ostream* os) { *os << c.name; }

class DamagedAttributesTest : public ::testing::TestWithParam<DamageCase> {};

TEST_P(DamagedAttributesTest, AreDataLoss) {
  MediaMkdir mkdir = Encoded(Everything());
  Set(mkdir, GetParam().offset, GetParam().value, GetParam().width);
  EXPECT_EQ(DecodeVolumeAttributes(mkdir).status().code(),
            absl::StatusCode::kDataLoss);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, DamagedAttributesTest,
    ::testing::Values(
        DamageCase{"VersionZero", 4, 0, 2}, DamageCase{"LengthZero", 6, 0, 2},
        DamageCase{"LengthPastTheField", 6, 0xffff, 2},
        DamageCase{"KindZero", 8, 0, 1}, DamageCase{"KindUnknown", 8, 3, 1},
        DamageCase{"LayoutZero", 9, 0, 1},
        DamageCase{"LayoutUnknown", 9, 200, 1},
        DamageCase{"StateZero", 10, 0, 1}, DamageCase{"StateUnknown", 10, 4, 1},
        DamageCase{"DataPathUnknown", 11, 4, 1},
        DamageCase{"RevisionZero", 12, 0, 4},
        DamageCase{"CapacityZero", 16, 0, 8},
        DamageCase{"CapacityUnaligned", 16, 4096, 8},
        DamageCase{"CapacityHuge", 16,
                   std::numeric_limits<std::uint64_t>::max() - kAllocUnit + 1,
                   8},
        DamageCase{"DeletedWithoutNumber", 32, 0, 8},
        DamageCase{"ChunkOdd", 40, 3 * kAllocUnit, 8},
        DamageCase{"ChunkWithoutStrips", 48, 0, 4},
        DamageCase{"TooManyStrips", 48, 17, 4},
        DamageCase{"NameEmpty", 52, 0, 2},
        DamageCase{"NamePastTheField", 52, 0xffff, 2},
        DamageCase{"NameShorter", 52, 39, 2},
        DamageCase{"SourcePastTheField", 54, 0xffff, 2},
        DamageCase{"SourceLonger", 54, 13, 2},
        DamageCase{"TailSet", 427, 1, 1}),
    [](const auto& test) { return test.param.name; });

TEST(VolumeAttributesTest, LengthsThatAgreeButExceedTheirBoundAreDataLoss) {
  MediaMkdir mkdir = Encoded(Everything());
  Set(mkdir, 6, 56 + 200 + 12, 2);
  Set(mkdir, 52, 200, 2);
  EXPECT_EQ(DecodeVolumeAttributes(mkdir).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(VolumeAttributesTest, AnythingDecodedEncodesToTheSameBytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    MediaMkdir mkdir = Encoded(Everything());
    const std::size_t at = random() % 60;
    mkdir.extension[at] = static_cast<std::byte>(random());
    const auto decoded = DecodeVolumeAttributes(mkdir);
    if (!decoded.ok() || !decoded->has_value()) continue;
    ++accepted;
    EXPECT_EQ(std::memcmp(Encoded(**decoded).extension, mkdir.extension,
                          kExtensionSize),
              0);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(VolumeAttributesTest, ThatCouldNotBeReadAreNotWritten) {
  const auto refused = [](void (*change)(VolumeAttributes&)) {
    VolumeAttributes attributes = Everything();
    change(attributes);
    MediaMkdir mkdir{};
    EXPECT_EQ(EncodeVolumeAttributes(attributes, mkdir).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(*DecodeVolumeAttributes(mkdir), std::nullopt) << "left alone";
  };
  refused([](VolumeAttributes& a) { a.name.clear(); });
  refused([](VolumeAttributes& a) { a.name = std::string(129, 'n'); });
  refused([](VolumeAttributes& a) { a.content_source.assign(129, 's'); });
  refused([](VolumeAttributes& a) { a.capacity += 1; });
  refused([](VolumeAttributes& a) { a.interleave_strips = 17; });
  refused([](VolumeAttributes& a) { a.interleave_chunk = 4096; });
  refused([](VolumeAttributes& a) { a.revision = 0; });
  refused([](VolumeAttributes& a) { a.state = VolumeState::kLive; });
  refused([](VolumeAttributes& a) { a.kind = VolumeKind{0}; });
  refused([](VolumeAttributes& a) { a.layout = VolumeLayout::kTree; });
}

TEST(VolumeAttributesTest, KeepTheMkdirEntryValid) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kMkdir);
  entry.mkdir.mode = 0755;
  SetPath(entry.mkdir.path, "volume");
  ASSERT_TRUE(EncodeVolumeAttributes(Largest(), entry.mkdir).ok());
  Seal(entry);
  EXPECT_TRUE(CheckEntry(entry, 0, 10 * kAllocUnit, kMinDeviceSize).ok());
}

TEST(DataPathTest, TextComesBack) {
  for (const char* text : {"auto", "fmap", "passthrough", "copy"}) {
    const auto data_path = ParseDataPath(text);
    ASSERT_TRUE(data_path.ok()) << data_path.status();
    EXPECT_EQ(ToString(*data_path), text);
  }
  EXPECT_EQ(ParseDataPath("Copy").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace famfs
