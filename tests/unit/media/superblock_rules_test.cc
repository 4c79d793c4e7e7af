#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden.h"
#include "media/rules.h"

namespace famfs {
namespace {

using namespace famfs::testing;
using ::testing::HasSubstr;

std::string Text(const absl::Status& status) {
  return std::string(Message(status));
}

struct SuperblockCase {
  const char* name;
  void (*change)(MediaSuperblock&);
  absl::StatusCode code;
  const char* says;
};

void PrintTo(const SuperblockCase& c, std::ostream* os) { *os << c.name; }

class SuperblockRuleTest : public ::testing::TestWithParam<SuperblockCase> {};

TEST_P(SuperblockRuleTest, IsTold) {
  MediaSuperblock superblock = GoldenSuperblock();
  GetParam().change(superblock);
  Seal(superblock);
  const absl::Status status = CheckSuperblock(superblock, kGoldenDeviceSize);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(Text(status), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Resealed, SuperblockRuleTest,
    ::testing::Values(
        SuperblockCase{"BlankDevice",
                       [](MediaSuperblock& s) { s = MediaSuperblock{}; },
                       absl::StatusCode::kFailedPrecondition, "no famfs"},
        SuperblockCase{"Version47", [](MediaSuperblock& s) { s.version = 47; },
                       absl::StatusCode::kFailedPrecondition,
                       "version is 47, not 48"},
        SuperblockCase{"OmfMajor3", [](MediaSuperblock& s) { s.omf_major = 3; },
                       absl::StatusCode::kFailedPrecondition, "3.2"},
        SuperblockCase{"LogElsewhere",
                       [](MediaSuperblock& s) { s.log_offset = 4096; },
                       absl::StatusCode::kDataLoss, "log_offset is 0x1000"},
        SuperblockCase{"LogNoPowerOfTwo",
                       [](MediaSuperblock& s) { s.log_length = 12U << 20; },
                       absl::StatusCode::kDataLoss, "log_length is 12582912"},
        SuperblockCase{"LogTooSmall",
                       [](MediaSuperblock& s) { s.log_length = 4U << 20; },
                       absl::StatusCode::kDataLoss, "log_length"},
        SuperblockCase{"LogLargerThanDevice",
                       [](MediaSuperblock& s) { s.log_length = 1ULL << 63; },
                       absl::StatusCode::kDataLoss, "does not fit"},
        SuperblockCase{"LogAsLargeAsDevice",
                       [](MediaSuperblock& s) { s.log_length = 4ULL << 30; },
                       absl::StatusCode::kDataLoss, "does not fit"},
        SuperblockCase{"SmallUnit",
                       [](MediaSuperblock& s) { s.alloc_unit = 4096; },
                       absl::StatusCode::kUnimplemented, "4096"},
        SuperblockCase{"ZeroUnit", [](MediaSuperblock& s) { s.alloc_unit = 0; },
                       absl::StatusCode::kDataLoss, "alloc_unit is 0"},
        SuperblockCase{"DeviceTooSmall",
                       [](MediaSuperblock& s) { s.device_size = 10U << 20; },
                       absl::StatusCode::kDataLoss, "device_size is 10485760"},
        SuperblockCase{"DeviceTruncated",
                       [](MediaSuperblock& s) { s.device_size = 1ULL << 40; },
                       absl::StatusCode::kDataLoss, "has only 4294967296"}),
    [](const auto& test) { return test.param.name; });

TEST(SuperblockRulesTest, EveryFlippedBitUnderTheSumIsSeen) {
  for (std::size_t bit = 0; bit < 104 * 8; ++bit) {
    MediaSuperblock superblock = GoldenSuperblock();
    reinterpret_cast<unsigned char*>(&superblock)[bit / 8] ^=
        static_cast<unsigned char>(1U << (bit % 8));
    EXPECT_FALSE(CheckSuperblock(superblock, kGoldenDeviceSize).ok())
        << "bit " << bit;
  }
}

TEST(SuperblockRulesTest, EveryFlippedBitOfTheDeviceSizeIsSeen) {
  for (std::size_t bit = 0; bit < 64; ++bit) {
    MediaSuperblock superblock = GoldenSuperblock();
    superblock.device_size ^= 1ULL << bit;
    EXPECT_FALSE(CheckSuperblock(superblock, kGoldenDeviceSize).ok())
        << "bit " << bit;
  }
}

TEST(SuperblockRulesTest, DeviceMayHaveGrownAndMinorVersionMayBeNewer) {
  MediaSuperblock superblock = GoldenSuperblock();
  superblock.omf_minor = 3;
  superblock.flags = 0xffff;  // upstream leaves stale bytes here
  Seal(superblock);
  EXPECT_TRUE(CheckSuperblock(superblock, 2 * kGoldenDeviceSize).ok());
}

// All but one: 3 and 2 is what an append by upstream leaves that stopped
// between its two stores, so the flip that makes next_index 2 cannot be told
// from it.
TEST(LogHeaderRulesTest, EveryFlippedBitIsSeen) {
  constexpr std::size_t kLooksLikeAStoppedAppend =
      offsetof(MediaLogHeader, next_index) * 8;
  for (std::size_t bit = 0; bit < sizeof(MediaLogHeader) * 8; ++bit) {
    if (bit == kLooksLikeAStoppedAppend) continue;
    MediaLogHeader header = GoldenLogHeader(3);
    reinterpret_cast<unsigned char*>(&header)[bit / 8] ^=
        static_cast<unsigned char>(1U << (bit % 8));
    EXPECT_EQ(CheckLogHeader(header, kGoldenLogLength).code(),
              absl::StatusCode::kDataLoss)
        << "bit " << bit;
  }
}

TEST(LogHeaderRulesTest, CompactingFormIsUnavailableNotDamaged) {
  MediaLogHeader header = GoldenLogHeader(0);
  header.length = 0;
  Seal(header);
  EXPECT_EQ(CheckLogHeader(header, kGoldenLogLength).code(),
            absl::StatusCode::kUnavailable);
  header.crc ^= 1;
  EXPECT_EQ(CheckLogHeader(header, kGoldenLogLength).code(),
            absl::StatusCode::kDataLoss);
}

// Leaving the compacting form, the counters are stored first.
TEST(LogHeaderRulesTest, CompactingFormMayHaveTheNextCountersAlready) {
  MediaLogHeader header = GoldenLogHeader(3);
  header.length = 0;
  Seal(header);
  EXPECT_EQ(CheckLogHeader(header, kGoldenLogLength).code(),
            absl::StatusCode::kUnavailable);
}

TEST(LogHeaderRulesTest, OtherLengthThanTheSuperblocksIsDamage) {
  EXPECT_THAT(Text(CheckLogHeader(GoldenLogHeader(0), 16ULL << 20)),
              HasSubstr("length is 8388608, but the superblock says 16777216"));
}

TEST(LogHeaderRulesTest, FullLogIsValidAndOneMoreIsNot) {
  EXPECT_TRUE(CheckLogHeader(GoldenLogHeader(15420), kGoldenLogLength).ok());
  EXPECT_THAT(Text(CheckLogHeader(GoldenLogHeader(15421), kGoldenLogLength)),
              HasSubstr("the log has 15420 slots"));
}

TEST(LogHeaderRulesTest, SequenceMayBeOneAheadOfAnAppendThatStopped) {
  MediaLogHeader header = GoldenLogHeader(3);
  header.next_seqnum = 4;
  EXPECT_TRUE(CheckLogHeader(header, kGoldenLogLength).ok());
  header.next_seqnum = 5;
  EXPECT_FALSE(CheckLogHeader(header, kGoldenLogLength).ok());
}

}  // namespace
}  // namespace famfs
