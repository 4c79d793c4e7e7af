#include "media/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "golden.h"

namespace famfs {
namespace {

using namespace famfs::testing;
using ::testing::HasSubstr;

constexpr std::uint64_t kUnit = kAllocUnit;
constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kHugeAligned = kHuge / kUnit * kUnit;

absl::Status Check(const MediaEntry& entry, std::uint64_t index = 0) {
  return CheckEntry(entry, index, kGoldenDataStart, kGoldenDeviceSize);
}

/// One broken rule: how the entry is changed before it is sealed again.
struct EntryCase {
  const char* name;
  void (*change)(MediaEntry&);
  const char* says;
};

void PrintTo(const EntryCase& c, std::ostream* os) { *os << c.name; }

class FileRuleTest : public ::testing::TestWithParam<EntryCase> {};

TEST_P(FileRuleTest, IsTold) {
  MediaEntry entry = MakeFile(0, "dir/file", 3 * kUnit,
                              {{0, kGoldenDataStart, 2 * kUnit},
                               {0, kGoldenDataStart + 8 * kUnit, kUnit}});
  ASSERT_TRUE(Check(entry).ok());
  GetParam().change(entry);
  Seal(entry);
  const absl::Status status = Check(entry);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().says));
  EXPECT_NE(RuleOf(status), "");
}

#define CASE(name, says, ...)                        \
  EntryCase {                                        \
#name, [](MediaEntry & e) { __VA_ARGS__; }, says \
  }

INSTANTIATE_TEST_SUITE_P(
    Resealed, FileRuleTest,
    ::testing::Values(
        CASE(OtherSeqnum, "seqnum is 7, but it lies at index 0", e.seqnum = 7),
        CASE(DeleteType, "type is 2", e.type = 2),
        CASE(InvalidType, "type is 4", e.type = 4),
        CASE(HugeType, "type is 4294967295", e.type = 0xffffffff),
        CASE(EmptyFile, "size is 0", e.file.size = 0),
        CASE(HugeFile, "size is 18446744073709551615", e.file.size = kHuge),
        CASE(MoreThanItsExtents, "hold only 6291456", ++e.file.size),
        CASE(UnknownFlags, "flags are 0x6", e.file.flags = 6),
        CASE(ModeWithType, "mode is 0100644", e.file.mode = 0100644),
        CASE(UnknownExtentType, "extent_type is 2", e.file.extent_type = 2),
        CASE(NoExtents, "extent_count is 0", e.file.extent_count = 0),
        CASE(TooManyExtents, "extent_count is 17", e.file.extent_count = 17),
        CASE(HugeExtentCount, "extent_count is 4294967295",
             e.file.extent_count = 0xffffffff),
        CASE(EmptyExtent, "extent 1 has the length 0",
             e.file.extents[1].length = 0),
        CASE(UnalignedOffset, "extent 0 (offset 0xa01000",
             e.file.extents[0].offset += 4096),
        CASE(UnalignedLength, "not 2 MiB aligned",
             e.file.extents[1].length += 512),
        CASE(OverTheSuperblock, "overlaps the superblock",
             e.file.extents[0].offset = 0),
        CASE(OverTheLog, "or the log",
             e.file.extents[0].offset = kGoldenDataStart - kUnit),
        CASE(PastTheDevice, "extent 1 (offset 0xfffe00000, length 0x200000)",
             e.file.extents[1].offset = 0xfffe00000),
        CASE(OneUnitPastTheDevice, "past the device's 4294967296 bytes",
             e.file.extents[1].offset = kGoldenDeviceSize - kUnit;
             e.file.extents[1].length = 2 * kUnit),
        CASE(WrapsAround, "ends beyond any device",
             e.file.extents[1].offset = kHugeAligned;
             e.file.extents[1].length = 4 * kUnit),
        CASE(WrapsAroundOnAnotherDevice, "ends beyond any device",
             e.file.extents[1] = {7, kUnit, kHugeAligned}),
        CASE(OverlapsItself,
             "extent 1 (offset 0xc00000, length 0x200000) "
             "overlaps extent 0",
             e.file.extents[1].offset = kGoldenDataStart + kUnit)),
    [](const auto& test) { return test.param.name; });

class StripRuleTest : public ::testing::TestWithParam<EntryCase> {};

TEST_P(StripRuleTest, IsTold) {
  MediaEntry entry = MakeInterleaved(0, "f", 7 * kUnit, kUnit,
                                     {{0, kGoldenDataStart, 3 * kUnit},
                                      {0, 0x40000000, 2 * kUnit},
                                      {0, 0x80000000, 2 * kUnit}});
  ASSERT_TRUE(Check(entry).ok());
  GetParam().change(entry);
  Seal(entry);
  const absl::Status status = Check(entry);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr(GetParam().says));
  EXPECT_NE(RuleOf(status), "");
}

INSTANTIATE_TEST_SUITE_P(
    Resealed, StripRuleTest,
    ::testing::Values(
        CASE(TwoInterleaves, "extent_count of an interleaved file is 2",
             e.file.extent_count = 2),
        CASE(NoStrips, "strips_used is 0", e.file.interleave.strips_used = 0),
        CASE(TooManyStrips, "strips_used is 17",
             e.file.interleave.strips_used = 17),
        CASE(HugeStripCount, "strips_used is 18446744073709551615",
             e.file.interleave.strips_used = kHuge),
        CASE(NoChunk, "chunk is 0x0", e.file.interleave.chunk = 0),
        CASE(SmallChunk, "chunk is 0x1000", e.file.interleave.chunk = 4096),
        CASE(OddChunk, "chunk is 0x600000",
             e.file.interleave.chunk = 3 * kUnit),
        CASE(ShortFirstStrip, "strip 0 holds 4194304 bytes",
             e.file.interleave.strips[0].length = 2 * kUnit),
        CASE(ShortLastStrip, "strip 2 holds 2097152 bytes",
             e.file.interleave.strips[2].length = kUnit),
        CASE(PartOfAChunkNeedsRoomToo, "strip 1 holds 4194304 bytes",
             e.file.size += 1),
        CASE(StripPastTheDevice, "strip 1 (offset 0x4000000000",
             e.file.interleave.strips[1].offset = 0x4000000000),
        CASE(StripsOverlap,
             "strip 2 (offset 0x40200000, length 0x400000) "
             "overlaps strip 1",
             e.file.interleave.strips[2].offset = 0x40200000)),
    [](const auto& test) { return test.param.name; });

#undef CASE

TEST(EntryRulesTest, EveryFlippedBitIsSeen) {
  const MediaEntry good = GoldenEntries()[2];
  for (std::size_t bit = 0; bit < sizeof(MediaEntry) * 8; ++bit) {
    MediaEntry entry = good;
    reinterpret_cast<unsigned char*>(&entry)[bit / 8] ^=
        static_cast<unsigned char>(1U << (bit % 8));
    EXPECT_EQ(Check(entry, 2).code(), absl::StatusCode::kDataLoss)
        << "bit " << bit;
    EXPECT_EQ(RuleOf(Check(entry, 2)), "crc") << "bit " << bit;
  }
}

// fsck --json has the names: whoever reads it relies on them.
TEST(EntryRulesTest, EachRuleHasItsName) {
  const auto rule = [](const std::function<void(MediaEntry&)>& change) {
    MediaEntry entry = MakeFile(
        0, "f", kUnit,
        {{0, kGoldenDataStart, kUnit}, {0, kGoldenDataStart + kUnit, kUnit}});
    change(entry);
    Seal(entry);
    return RuleOf(Check(entry));
  };
  EXPECT_EQ(rule([](MediaEntry& /*e*/) {}), "");
  EXPECT_EQ(rule([](MediaEntry& e) { e.seqnum = 7; }), "seqnum");
  EXPECT_EQ(rule([](MediaEntry& e) { e.type = 2; }), "type");
  EXPECT_EQ(rule([](MediaEntry& e) { e.file.path[0] = '/'; }), "path");
  EXPECT_EQ(rule([](MediaEntry& e) { e.file.size = 0; }), "size");
  EXPECT_EQ(rule([](MediaEntry& e) { e.file.flags = 8; }), "flags");
  EXPECT_EQ(rule([](MediaEntry& e) { e.file.mode = 1U << 20; }), "mode");
  EXPECT_EQ(rule([](MediaEntry& e) { e.file.extent_count = 0; }), "extent");
  EXPECT_EQ(rule([](MediaEntry& e) { e.file.extents[1].length = 0; }),
            "extent");
  EXPECT_EQ(rule([](MediaEntry& e) {
              e.file.extents[1].offset = e.file.extents[0].offset;
            }),
            "overlap");
  EXPECT_EQ(RuleOf(absl::OkStatus()), "");
}

TEST(EntryRulesTest, ExtentsMayFillTheDeviceToItsEnd) {
  EXPECT_TRUE(Check(MakeFile(0, "all", kGoldenDeviceSize - kGoldenDataStart,
                             {{0, kGoldenDataStart,
                               kGoldenDeviceSize - kGoldenDataStart}}))
                  .ok());
}

TEST(EntryRulesTest, SixteenExtentsAreAllowed) {
  std::vector<MediaExtent> extents;
  for (std::uint64_t i = 0; i < kMaxExtents; ++i) {
    extents.push_back({0, kGoldenDataStart + 2 * i * kUnit, kUnit});
  }
  const absl::Status status = Check(MakeFile(0, "f", 16 * kUnit, extents));
  EXPECT_TRUE(status.ok()) << status;
}

TEST(EntryRulesTest, OtherDevicesAreOnlyCheckedForAlignment) {
  EXPECT_TRUE(Check(MakeFile(0, "f", kUnit, {{3, 0, kUnit}})).ok());
  EXPECT_FALSE(Check(MakeFile(0, "f", kUnit, {{3, 4096, kUnit}})).ok());
}

TEST(EntryRulesTest, SamePlaceOnTwoDevicesIsNoOverlap) {
  EXPECT_TRUE(
      Check(MakeFile(0, "f", 2 * kUnit, {{1, 0, kUnit}, {2, 0, kUnit}})).ok());
}

TEST(EntryRulesTest, AddedDeviceNeedsAnIndexAndASize) {
  MediaEntry entry{};
  entry.type = static_cast<std::uint32_t>(EntryType::kAddDaxdev);
  entry.add_daxdev.index = 1;
  entry.add_daxdev.size = 8ULL << 30;
  Seal(entry);
  EXPECT_TRUE(Check(entry).ok());
  entry.add_daxdev.index = 0;
  Seal(entry);
  EXPECT_FALSE(Check(entry).ok());
  entry.add_daxdev.index = 1;
  entry.add_daxdev.size = 0;
  Seal(entry);
  EXPECT_FALSE(Check(entry).ok());
}

TEST(EntryRulesTest, PathWithoutNulIsReadToItsFieldsEndOnly) {
  MediaEntry entry = MakeMkdir(0, "d", 0755, 0);
  std::memset(entry.mkdir.path, 'x', kPathField);
  Seal(entry);
  EXPECT_EQ(PathFromField(entry.mkdir.path).size(), kPathField);
  EXPECT_THAT(std::string(Message(Check(entry))), HasSubstr("longer than 78"));
}

TEST(EntryRulesTest, BytesAfterThePathsEndAreTold) {
  MediaEntry entry = MakeMkdir(0, "d", 0755, 0);
  entry.mkdir.path[5] = 'x';
  Seal(entry);
  EXPECT_THAT(std::string(Message(Check(entry))),
              HasSubstr("bytes after its end"));
}

TEST(EntryRulesTest, HostilePathNeverReachesATerminalRaw) {
  const absl::Status status = Check(MakeMkdir(0, "a\x1b[2J\xff", 0755, 0));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("a\\x1b[2J\\xff"));
}

class BadPathTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BadPathTest, IsRefused) {
  EXPECT_EQ(CheckPath(GetParam()).code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Paths, BadPathTest,
                         ::testing::Values("", "/", "/etc/passwd", "..", "../x",
                                           "a/../b", "a/..", ".", "./a", "a/.",
                                           "a//b", "a/", "//",
                                           std::string("a\0b", 3), "a\nb",
                                           "a\x7f", std::string(79, 'a')));

class GoodPathTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GoodPathTest, IsAccepted) {
  EXPECT_TRUE(CheckPath(GetParam()).ok()) << CheckPath(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Paths, GoodPathTest,
                         ::testing::Values("a", "a/b", "...", "..a", "a..",
                                           "a b", ".meta/.alloc.cfg",
                                           "\xc3\xa9t\xc3\xa9",
                                           std::string(78, 'a')));

}  // namespace
}  // namespace famfs
