// The table of free space that is zero: in memory and on the medium alike.
#include "instance/deletion/clean_ranges.h"

#include <map>
#include <random>

#include "fixture.h"
#include "instance/devices/metadata_store.h"

namespace famfs {
namespace {

class CleanRangesTest : public WriteTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    MakeDevice(Kind::kImage);
    head_ = *device_->Map(0, kSuperblockRegion, Access::kReadWrite);
    clean_ = CleanRanges(*head_, fs_uuid_);
  }
  static MediaExtent Units(std::uint64_t from, std::uint64_t count,
                           std::uint64_t device = 0) {
    return {device, from * kAllocUnit, count * kAllocUnit};
  }
  void Reload() { clean_ = CleanRanges(*head_, fs_uuid_); }

  const Uuid fs_uuid_ = Uuid::Random();
  std::unique_ptr<Mapping> head_;
  CleanRanges clean_;
};

TEST_F(CleanRangesTest, NeighboursMergeAndWhatIsForgottenSplits) {
  clean_.Add(Units(10, 2));
  clean_.Add(Units(14, 2));
  clean_.Add(Units(12, 2, 1));
  EXPECT_EQ(clean_.count(), 3U);
  clean_.Add(Units(12, 2));
  EXPECT_EQ(clean_.count(), 2U);
  EXPECT_TRUE(clean_.Covers(Units(10, 6)));
  EXPECT_FALSE(clean_.Covers(Units(10, 7)));
  clean_.Forget(Units(12, 1));
  Reload();
  EXPECT_EQ(clean_.count(), 3U);
  EXPECT_TRUE(clean_.Covers(Units(10, 2)));
  EXPECT_TRUE(clean_.Covers(Units(13, 3)));
  EXPECT_FALSE(clean_.Covers(Units(12, 1)));
  EXPECT_TRUE(clean_.Covers(Units(12, 2, 1)));
}

TEST_F(CleanRangesTest, AnotherFileSystemsAndDamagedRowsAreNotBelieved) {
  clean_.Add(Units(10, 2));
  EXPECT_EQ(CleanRanges(*head_, Uuid::Random()).count(), 0U);
  const std::byte wrong{0x55};
  for (std::size_t row = 0; row < kCleanRows; ++row) {
    const std::size_t at = kRegionOffset + kCleanAt + row * kLineSize;
    if (IsZero(head_->bytes().subspan(at, kLineSize))) continue;
    head_->Store(at + 30, std::span(&wrong, 1));
  }
  Reload();
  EXPECT_EQ(clean_.count(), 0U);
}

TEST_F(CleanRangesTest, OverlappingRowsOfAnInterruptedMergeCountOnce) {
  clean_.Add(Units(10, 2));
  clean_.Add(Units(20, 2));
  StoreLine(*head_, kCleanAt + 100 * kLineSize,
            EncodeClean({Units(10, 12)}, fs_uuid_));
  Reload();
  EXPECT_EQ(clean_.count(), 1U);
  EXPECT_EQ(clean_.bytes(), 12 * kAllocUnit);
}

TEST_F(CleanRangesTest, WithoutARowTheSmallestIsForgotten) {
  for (std::uint64_t i = 0; i < kCleanRows; ++i) {
    clean_.Add(Units(10 + 10 * i, i == 77 ? 1 : 2));
  }
  EXPECT_EQ(clean_.count(), kCleanRows);
  clean_.Add(Units(1, 1));
  EXPECT_FALSE(clean_.Covers(Units(1, 1))) << "no larger than the smallest";
  clean_.Add(Units(1, 3));
  EXPECT_TRUE(clean_.Covers(Units(1, 3)));
  EXPECT_FALSE(clean_.Covers(Units(10 + 10 * 77, 1)));
  Reload();
  EXPECT_EQ(clean_.count(), kCleanRows);
}

TEST_F(CleanRangesTest, AgreesWithAModelUnitByUnit) {
  std::mt19937_64 random(7);
  constexpr std::uint64_t kUnits = 300;
  std::vector<bool> model(kUnits, false);
  for (int step = 0; step < 4000; ++step) {
    const std::uint64_t from = random() % (kUnits - 20);
    const std::uint64_t count = 1 + random() % 20;
    const bool add = random() % 2 == 0;
    if (add) {
      clean_.Add(Units(from, count));
    } else {
      clean_.Forget(Units(from, count));
    }
    for (std::uint64_t i = from; i < from + count; ++i) model[i] = add;
    if (step % 97 == 0) Reload();
    std::uint64_t bytes = 0;
    for (std::uint64_t i = 0; i < kUnits; ++i) {
      ASSERT_EQ(clean_.Covers(Units(i, 1)), model[i]) << step << " " << i;
      if (model[i]) bytes += kAllocUnit;
    }
    ASSERT_EQ(clean_.bytes(), bytes) << step;
  }
}

}  // namespace
}  // namespace famfs
