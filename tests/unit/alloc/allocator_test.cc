#include "alloc/allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/units.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kUnit = 2 * kMiB;

std::string Text(const absl::Status& status) {
  return std::string(Message(status));
}

/// A device whose only free extents are `free`.
ExtentAllocator WithFree(std::uint64_t device_size,
                         std::initializer_list<Range> free) {
  ExtentAllocator allocator(device_size);
  EXPECT_TRUE(allocator.Take({0, device_size}).ok());
  for (const Range& range : free) EXPECT_TRUE(allocator.Free(range).ok());
  return allocator;
}

TEST(AllocatorTest, NewDeviceIsOneFreeExtentOfWholeUnits) {
  const ExtentAllocator allocator(4 * kGiB + 4096);
  EXPECT_EQ(allocator.free_bytes(), 4 * kGiB);
  EXPECT_EQ(allocator.largest_free(), 4 * kGiB);
  EXPECT_EQ(allocator.extent_count(), 1U);
}

TEST(AllocatorTest, DeviceSmallerThanAUnitHasNothing) {
  ExtentAllocator allocator(kUnit - 1);
  EXPECT_EQ(allocator.free_bytes(), 0U);
  EXPECT_EQ(allocator.largest_free(), 0U);
  EXPECT_EQ(allocator.Allocate(1).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(AllocatorTest, LengthIsRoundedUpToUnits) {
  ExtentAllocator allocator(kGiB);
  EXPECT_EQ(*allocator.Allocate(1), (Range{0, kUnit}));
  EXPECT_EQ(*allocator.Allocate(kUnit + 1), (Range{kUnit, 2 * kUnit}));
  EXPECT_EQ(allocator.Allocate(0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(AllocatorTest, SmallestFreeExtentThatHoldsItIsUsed) {
  ExtentAllocator allocator = WithFree(
      kGiB, {{0, 8 * kUnit}, {20 * kUnit, 3 * kUnit}, {40 * kUnit, 5 * kUnit}});
  EXPECT_EQ(*allocator.Allocate(4 * kUnit), (Range{40 * kUnit, 4 * kUnit}));
  EXPECT_EQ(*allocator.Allocate(kUnit), (Range{44 * kUnit, kUnit}));
  EXPECT_EQ(*allocator.Allocate(3 * kUnit), (Range{20 * kUnit, 3 * kUnit}));
}

TEST(AllocatorTest, LowestOfEqualExtentsIsUsed) {
  ExtentAllocator allocator =
      WithFree(kGiB, {{60 * kUnit, 2 * kUnit}, {30 * kUnit, 2 * kUnit}});
  EXPECT_EQ(*allocator.Allocate(2 * kUnit), (Range{30 * kUnit, 2 * kUnit}));
}

TEST(AllocatorTest, GibibyteIsPlacedOnItsBoundary) {
  ExtentAllocator allocator(8 * kGiB);
  ASSERT_TRUE(allocator.Take({0, 10 * kMiB}).ok());
  EXPECT_EQ(*allocator.Allocate(kGiB), (Range{kGiB, kGiB}));
  EXPECT_EQ(*allocator.Allocate(kGiB + 1), (Range{2 * kGiB, kGiB + kUnit}));
  EXPECT_EQ(*allocator.Allocate(2 * kGiB), (Range{4 * kGiB, 2 * kGiB}));
}

TEST(AllocatorTest, JustUnderAGibibyteIsNot) {
  ExtentAllocator allocator(8 * kGiB);
  ASSERT_TRUE(allocator.Take({0, 10 * kMiB}).ok());
  EXPECT_EQ(allocator.Allocate(kGiB - kUnit)->offset, 10 * kMiB);
}

TEST(AllocatorTest, AlignedPlaceInALargerExtentBeatsAnUnalignedFit) {
  ExtentAllocator allocator =
      WithFree(8 * kGiB, {{kUnit, kGiB}, {3 * kGiB - kUnit, 2 * kGiB}});
  EXPECT_EQ(*allocator.Allocate(kGiB), (Range{3 * kGiB, kGiB}));
}

TEST(AllocatorTest, TightestAlignedPlaceIsUsed) {
  ExtentAllocator allocator =
      WithFree(16 * kGiB, {{kGiB, 4 * kGiB}, {9 * kGiB - kUnit, kGiB + kUnit}});
  EXPECT_EQ(*allocator.Allocate(kGiB), (Range{9 * kGiB, kGiB}));
}

TEST(AllocatorTest, UnalignedPlaceIsUsedWhenNoOtherHoldsIt) {
  ExtentAllocator allocator = WithFree(8 * kGiB, {{kUnit, kGiB}});
  EXPECT_EQ(*allocator.Allocate(kGiB), (Range{kUnit, kGiB}));
  EXPECT_EQ(allocator.free_bytes(), 0U);
}

TEST(AllocatorTest, NoRoomSaysWhatWasAskedAndWhatIsFree) {
  ExtentAllocator allocator =
      WithFree(kGiB, {{0, 3 * kUnit}, {20 * kUnit, 2 * kUnit}});
  const absl::Status status = allocator.Allocate(4 * kUnit).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Text(status), HasSubstr("asked for 8.00 MiB"));
  EXPECT_THAT(Text(status), HasSubstr("free are 10.00 MiB"));
  EXPECT_THAT(Text(status), HasSubstr("in one piece 6.00 MiB"));
  EXPECT_EQ(allocator.free_bytes(), 5 * kUnit);
}

TEST(AllocatorTest, HugeRequestDoesNotWrapAround) {
  ExtentAllocator allocator(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(allocator.Allocate(std::numeric_limits<std::uint64_t>::max())
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(AllocatorTest, TakenTwiceNamesTheOverlap) {
  ExtentAllocator allocator(kGiB);
  ASSERT_TRUE(allocator.Take({4 * kUnit, 2 * kUnit}).ok());
  const absl::Status status = allocator.Take({2 * kUnit, 3 * kUnit});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Text(status), HasSubstr("in use at 0x800000 of 0x200000 bytes"));
  EXPECT_EQ(allocator.free_bytes(), kGiB - 2 * kUnit) << "nothing was taken";
  EXPECT_THAT(Text(allocator.Take({0, 8 * kUnit})),
              HasSubstr("in use at 0x800000 of 0x400000 bytes"));
  EXPECT_THAT(Text(allocator.Take({5 * kUnit, 8 * kUnit})),
              HasSubstr("in use at 0xa00000 of 0x200000 bytes"));
}

TEST(AllocatorTest, BadRangesAreRefused) {
  ExtentAllocator allocator(kGiB);
  const std::uint64_t huge =
      std::numeric_limits<std::uint64_t>::max() - kUnit + 1;
  EXPECT_EQ(allocator.Take({0, 0}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(allocator.Take({4096, kUnit}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(allocator.Take({0, kUnit + 1}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(allocator.Take({kGiB, kUnit}).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(allocator.Take({kGiB - kUnit, 2 * kUnit}).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(allocator.Take({kUnit, huge}).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(allocator.Take({huge, kUnit}).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(allocator.free_bytes(), kGiB);
}

TEST(AllocatorTest, FirstOfEqualGigabytesInAWindowIsTaken) {
  // The window cuts the second extent down to as much as the first one has.
  ExtentAllocator allocator =
      WithFree(8 * kGiB, {{kGiB, kGiB}, {3 * kGiB, 2 * kGiB}});
  const auto range = allocator.AllocateIn({0, 4 * kGiB}, kGiB);
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(*range, (Range{kGiB, kGiB}));
  EXPECT_EQ(allocator.LargestIn({0, 4 * kGiB}), kGiB);
}

TEST(AllocatorTest, WindowBeyondTheDeviceIsRefused) {
  ExtentAllocator allocator(kGiB);
  EXPECT_EQ(allocator.AllocateIn({kUnit, kGiB}, kUnit).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(allocator.AllocateIn({1, kUnit}, kUnit).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(allocator.LargestIn({kUnit, kGiB}), 0U);
  EXPECT_EQ(allocator.AllocateIn({0, kUnit}, 2 * kUnit).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(AllocatorTest, FreedRangesMergeWithTheirNeighbours) {
  ExtentAllocator allocator = WithFree(kGiB, {});
  ASSERT_TRUE(allocator.Free({0, kUnit}).ok());
  ASSERT_TRUE(allocator.Free({2 * kUnit, kUnit}).ok());
  EXPECT_EQ(allocator.extent_count(), 2U);
  ASSERT_TRUE(allocator.Free({kUnit, kUnit}).ok());
  EXPECT_EQ(allocator.extent_count(), 1U);
  EXPECT_EQ(allocator.largest_free(), 3 * kUnit);
}

TEST(AllocatorTest, FreedTwiceIsToldAndChangesNothing) {
  ExtentAllocator allocator = WithFree(kGiB, {{4 * kUnit, 4 * kUnit}});
  for (const Range range :
       {Range{4 * kUnit, 4 * kUnit}, Range{2 * kUnit, 3 * kUnit},
        Range{7 * kUnit, 3 * kUnit}, Range{5 * kUnit, kUnit},
        Range{0, 20 * kUnit}}) {
    EXPECT_EQ(allocator.Free(range).code(), absl::StatusCode::kInternal);
  }
  EXPECT_EQ(allocator.Free({kGiB, kUnit}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(allocator.free_bytes(), 4 * kUnit);
  EXPECT_EQ(allocator.extent_count(), 1U);
}

}  // namespace
}  // namespace famfs
