#include "media/checksum.h"

#include <gtest/gtest.h>

#include <string_view>

#include "golden.h"

namespace famfs {
namespace {

using testing::GoldenEntries;
using testing::GoldenLogHeader;
using testing::GoldenSuperblock;
using testing::MakeInterleaved;

TEST(Crc32Test, IsZlibsOfTheCheckString) {
  EXPECT_EQ(Crc32(std::as_bytes(std::span(std::string_view("123456789")))),
            0xcbf43926);
}

TEST(Crc32Test, OfNothingIsZero) { EXPECT_EQ(Crc32({}), 0U); }

// The sums that upstream's binaries give for these structures.
TEST(SealTest, GivesUpstreamsSums) {
  EXPECT_EQ(GoldenSuperblock().crc, 0x81d709d6);
  EXPECT_EQ(GoldenLogHeader(0).crc, 0xa5875078);
  EXPECT_EQ(GoldenLogHeader(3).crc, 0xa5875078) << "counters are not summed";
  const auto entries = GoldenEntries();
  EXPECT_EQ(entries[0].crc, 0xf7a3dc76);
  EXPECT_EQ(entries[1].crc, 0x2f97fa5b);
  EXPECT_EQ(entries[2].crc, 0xc106112f);
}

TEST(SealTest, OfTheOtherStripOrderGivesUpstreamsSum) {
  const MediaEntry entry =
      MakeInterleaved(2, "dir1/inter.bin", 20'000'000, 0x200000,
                      {{0, 0x1000000, 0x800000},
                       {0, 0x40000000, 0x800000},
                       {0, 0xc0000000, 0x800000}});
  EXPECT_EQ(entry.crc, 0xb1f02ebf);
}

TEST(SealTest, OfAnAddedDeviceGivesUpstreamsSum) {
  MediaEntry entry{};
  entry.seqnum = 3;
  entry.type = static_cast<std::uint32_t>(EntryType::kAddDaxdev);
  entry.add_daxdev.size = 8ULL << 30;
  for (std::uint8_t i = 0; i < 16; ++i) {
    entry.add_daxdev.device_uuid.bytes[i] = static_cast<std::uint8_t>(0x10 + i);
  }
  entry.add_daxdev.index = 1;
  Seal(entry);
  EXPECT_EQ(entry.crc, 0xa6ffde5f);
}

TEST(SealTest, LastIndexFollowsTheLogsLength) {
  EXPECT_EQ(LastIndex(16ULL << 20), 30839U);
  EXPECT_EQ(LastIndex(32ULL << 20), 61679U);
  EXPECT_EQ(LastIndex(64ULL << 20), 123360U);
  EXPECT_EQ(LastIndex(128ULL << 20), 246722U);
}

}  // namespace
}  // namespace famfs
