#include "media/region.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace famfs {
namespace {

using Copies = std::array<std::byte, 2 * kLineSize>;

const Uuid kOurs = *Uuid::Parse("ceba7e51-f5b1-4e80-aba9-d224aad28b31");
const Uuid kOther = *Uuid::Parse("11111111-f5b1-4e80-aba9-d224aad28b31");

StateRecord State(std::uint64_t sequence) {
  return {.sequence = sequence,
          .generation = 3,
          .writer_epoch = sequence + 100,
          .writer_host = kOther,
          .last_deletion = 9};
}

CompactionRecord Compaction(std::uint64_t sequence) {
  return {.sequence = sequence,
          .generation = 4,
          .offset = 0xa00000,
          .length = 48 + 7 * 544,
          .image_crc = 0xfedcba98};
}

void Put(Copies& copies, std::uint64_t sequence, const Line& line) {
  std::copy(line.begin(), line.end(),
            copies.begin() + static_cast<std::ptrdiff_t>(CopyAt(0, sequence)));
}

TEST(RegionTest, BlankLinesAreAbsent) {
  const Copies copies{};
  const auto state = DecodeState(copies, kOurs);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(*state, std::nullopt);
  const auto compaction = DecodeCompaction(copies, kOurs);
  ASSERT_TRUE(compaction.ok());
  EXPECT_EQ(*compaction, std::nullopt);
}

TEST(RegionTest, ForeignBytesAreAbsent) {
  Copies copies;
  copies.fill(std::byte{0xa5});
  EXPECT_EQ(*DecodeState(copies, kOurs), std::nullopt);
}

TEST(RegionTest, RecordsComeBack) {
  Copies copies{};
  Put(copies, 1, EncodeState(State(1), kOurs));
  EXPECT_EQ(*DecodeState(copies, kOurs), State(1));
  Copies others{};
  Put(others, 2, EncodeCompaction(Compaction(2), kOurs));
  EXPECT_EQ(*DecodeCompaction(others, kOurs), Compaction(2));
}

TEST(RegionTest, OneRecordIsNotReadAsTheOther) {
  Copies copies{};
  Put(copies, 0, EncodeState(State(0), kOurs));
  EXPECT_EQ(*DecodeCompaction(copies, kOurs), std::nullopt);
}

TEST(RegionTest, NewestOfTwoWins) {
  Copies copies{};
  Put(copies, 7, EncodeState(State(7), kOurs));
  Put(copies, 8, EncodeState(State(8), kOurs));
  EXPECT_EQ(*DecodeState(copies, kOurs), State(8));
  Put(copies, 9, EncodeState(State(9), kOurs));
  EXPECT_EQ(*DecodeState(copies, kOurs), State(9));
}

TEST(RegionTest, AnotherFileSystemsRecordIsAbsent) {
  Copies copies{};
  Put(copies, 7, EncodeState(State(7), kOther));
  Put(copies, 8, EncodeState(State(8), kOther));
  EXPECT_EQ(*DecodeState(copies, kOurs), std::nullopt);
  Put(copies, 1, EncodeState(State(1), kOurs));
  EXPECT_EQ(*DecodeState(copies, kOurs), State(1)) << "though 8 is newer";
}

TEST(RegionTest, DamagedNewestLeavesTheOlder) {
  Copies copies{};
  Put(copies, 7, EncodeState(State(7), kOurs));
  Put(copies, 8, EncodeState(State(8), kOurs));
  copies[30] ^= std::byte{1};
  EXPECT_EQ(*DecodeState(copies, kOurs), State(7));
}

TEST(RegionTest, EveryFlippedBitBehindTheMagicOfAnOnlyCopyIsDamage) {
  for (std::size_t bit = 32; bit < kLineSize * 8; ++bit) {
    Copies copies{};
    Put(copies, 8, EncodeState(State(8), kOurs));
    copies[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_EQ(DecodeState(copies, kOurs).status().code(),
              absl::StatusCode::kDataLoss)
        << "bit " << bit;
  }
}

TEST(RegionTest, DamagedTagIsNotTakenForAnotherFileSystem) {
  Copies copies{};
  Put(copies, 8, EncodeState(State(8), kOther));
  copies[60] ^= std::byte{1};
  EXPECT_EQ(DecodeState(copies, kOurs).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(RegionTest, LineTornByTheStoreOrderIsAbsent) {
  const Line line = EncodeState(State(8), kOurs);
  for (std::size_t stored = 8; stored < kLineSize; stored += 8) {
    Copies copies{};
    std::copy(line.begin() + 8, line.begin() + 8 + (stored - 8),
              copies.begin() + 8);
    const auto state = DecodeState(copies, kOurs);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(*state, std::nullopt) << stored;
  }
}

TEST(RegionTest, RecordInTheOtherSlotIsDamage) {
  Copies copies{};
  Put(copies, 0, EncodeState(State(7), kOurs));
  EXPECT_EQ(DecodeState(copies, kOurs).status().code(),
            absl::StatusCode::kDataLoss);
}

// docs/format.md has these tables: a change here is a change of the format.
TEST(RegionTest, RecordsLieWhereTheFormatPageSays) {
  const auto at = [](const Line& line, std::size_t offset) {
    std::uint64_t value = 0;
    std::memcpy(&value, line.data() + offset, sizeof(value));
    return value;
  };
  const Line state = EncodeState(State(8), kOurs);
  EXPECT_EQ(std::memcmp(state.data(), "FMST", 4), 0);
  EXPECT_EQ(std::memcmp(state.data() + 8, kOurs.bytes.data(), 8), 0);
  EXPECT_EQ(at(state, 16), 8U);
  EXPECT_EQ(at(state, 24), 3U);
  EXPECT_EQ(at(state, 32), 108U);
  EXPECT_EQ(std::memcmp(state.data() + 40, kOther.bytes.data(), 16), 0);
  EXPECT_EQ(at(state, 56), 9U);
  const Line record = EncodeCompaction(Compaction(2), kOurs);
  EXPECT_EQ(std::memcmp(record.data(), "FMCP", 4), 0);
  EXPECT_EQ(std::memcmp(record.data() + 8, kOurs.bytes.data(), 8), 0);
  EXPECT_EQ(at(record, 16), 2U);
  EXPECT_EQ(at(record, 24), 4U);
  EXPECT_EQ(at(record, 32), 0xa00000U);
  EXPECT_EQ(at(record, 40), 48U + 7 * 544);
  EXPECT_EQ(at(record, 48), 0xfedcba98U);
  EXPECT_EQ(at(record, 56), 0U);
}

TEST(RegionTest, WrongAmountOfBytesIsOurOwnBug) {
  const Line one{};
  EXPECT_EQ(DecodeState(one, kOurs).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace famfs
