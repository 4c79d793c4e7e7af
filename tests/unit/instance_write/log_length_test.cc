// The log that a new instance gets where nobody says how long: files of 2 MiB
// in all of the memory have room in it.
#include "instance/check/log_length.h"

#include <bit>
#include <string>

#include "fixture.h"
#include "media/format.h"

namespace famfs {
namespace {

/// Of a file of up to 2 MiB in a tree volume: its node and its piece.
constexpr std::uint64_t kSlotsOfAFile = 2;
constexpr std::uint64_t kKeptForDeletions = 64;

std::uint64_t Slots(std::uint64_t length) { return LastIndex(length) + 1; }

class DefaultLogTest : public ::testing::TestWithParam<std::uint64_t> {};

INSTANTIATE_TEST_SUITE_P(Sizes, DefaultLogTest,
                         ::testing::Values(64 * kMiB, 4 * kGiB, 5 * kGiB,
                                           8 * kGiB, 12 * kGiB, kTiB,
                                           kTiB + 2 * kMiB, 64 * kTiB),
                         [](const auto& param) {
                           return std::to_string(param.param >> 20) + "MiB";
                         });

TEST_P(DefaultLogTest, HasRoomForFilesOfTwoMiBInAllOfTheMemory) {
  const std::uint64_t size = GetParam();
  const std::uint64_t log = DefaultLogLength(size, 0);
  const std::uint64_t files = (size - kLogOffset - log) / kAllocUnit;
  EXPECT_GT(Slots(log), kSlotsOfAFile * files + kKeptForDeletions);
}

TEST_P(DefaultLogTest, IsOneThatMkfsTakesAndLeavesTheDeviceItsRoom) {
  const std::uint64_t size = GetParam();
  const std::uint64_t log = DefaultLogLength(size, 0);
  EXPECT_TRUE(std::has_single_bit(log));
  EXPECT_GE(log, kMinLogLength);
  EXPECT_LE(log, std::max(kMinLogLength, size / kDefaultLogShare));
  EXPECT_LE(log, kMaxDefaultLogLength);
  if (size >= kMinDeviceSize) {
    EXPECT_LE(log, size / kLogShare);
  }
  // No longer than needed.
  if (log > kMinLogLength) {
    EXPECT_LT(Slots(log / 2), kSlotsPerUnit * (size / kAllocUnit));
  }
}

TEST(LogLengthTest, StepsAreWhereTheSlotsEnd) {
  // 15,420 slots are enough for 3,855 units, and 30,840 for 7,710.
  EXPECT_EQ(DefaultLogLength(3855 * kAllocUnit, 0), 8 * kMiB);
  EXPECT_EQ(DefaultLogLength(3856 * kAllocUnit, 0), 16 * kMiB);
  EXPECT_EQ(DefaultLogLength(7710 * kAllocUnit, 0), 16 * kMiB);
  EXPECT_EQ(DefaultLogLength(7711 * kAllocUnit, 0), 32 * kMiB);
  EXPECT_EQ(DefaultLogLength(kTiB, 0), 2 * kGiB);
}

TEST(LogLengthTest, FurtherDevicesCountUpToTheFirstOnesShare) {
  EXPECT_EQ(DefaultLogLength(16 * kGiB, 112 * kGiB),
            DefaultLogLength(128 * kGiB, 0));
  EXPECT_EQ(DefaultLogLength(4 * kGiB, 16 * kTiB), 256 * kMiB);
  EXPECT_EQ(DefaultLogLength(6 * kGiB, 16 * kTiB), 256 * kMiB);
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  EXPECT_EQ(DefaultLogLength(kMost / 2, kMost), kMaxDefaultLogLength);
}

/// On an emulated device, whose extents are sparse here.
class FullPoolTest : public WriteTest {
 protected:
  void Fill(const std::string& volume, std::uint64_t files) {
    TreeRequest create;
    create.op = TreeOp::kCreate;
    create.volume = volume;
    create.mode = 0644;
    TreeRequest extend;
    extend.op = TreeOp::kExtend;
    extend.volume = volume;
    extend.size = kAllocUnit;
    extend.flags = kExtendExactly;
    for (std::uint64_t i = 0; i < files; ++i) {
      create.name = fmt::format("file-{}", i);
      const TreeAnswer made = writer_->ChangeTree(create);
      ASSERT_EQ(made.error, 0) << i;
      extend.node = made.node;
      ASSERT_EQ(writer_->ChangeTree(extend).error, 0) << i;
    }
  }
};

/// With 8 MiB of log this claim was refused.
TEST_F(FullPoolTest, OneClaimOfAllTheMemoryIsFilledWithFilesOfTwoMiB) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice(Kind::kEmulated, 11 * kGiB));
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  ASSERT_NO_FATAL_FAILURE(Open());
  const auto space =
      writer_->GetAvailableSpace({.layout = VolumeLayout::kTree});
  ASSERT_OK(space);
  EXPECT_EQ(space->largest, writer_->Figures().free) << "the memory bounds it";
  VolumeAttributes attributes = Attributes("all", space->largest);
  attributes.layout = VolumeLayout::kTree;
  ASSERT_OK(writer_->CreateVolume("all", attributes, {}));
  const std::uint64_t files = space->largest / kAllocUnit;
  ASSERT_NO_FATAL_FAILURE(Fill("all", files));
  const PoolFigures full = writer_->Figures();
  EXPECT_EQ(full.free, 0U);
  EXPECT_GT(full.slots - full.entries, kKeptForDeletions + files)
      << "a third record of each file, such as a chmod's";
  ASSERT_OK(writer_->DeleteVolume("all"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, space->largest);
  EXPECT_EQ(Fsck(), "");
}

/// And so do claims of 258 MiB.
TEST_F(FullPoolTest, ClaimsOfAQuarterGiBTakeAllTheMemory) {
  ASSERT_NO_FATAL_FAILURE(MakeDevice(Kind::kEmulated, 11 * kGiB));
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  ASSERT_NO_FATAL_FAILURE(Open());
  constexpr std::uint64_t kClaim = 129 * kAllocUnit;
  const std::uint64_t claims = writer_->Figures().free / kClaim;
  for (std::uint64_t i = 0; i < claims; ++i) {
    const std::string name = fmt::format("v{}", i);
    VolumeAttributes attributes = Attributes(name, kClaim);
    attributes.layout = VolumeLayout::kTree;
    ASSERT_OK(writer_->CreateVolume(name, attributes, {}));
  }
}

}  // namespace
}  // namespace famfs
