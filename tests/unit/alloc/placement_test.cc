#include "alloc/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/units.h"

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kUnit = kAllocUnit;

std::string Text(const absl::Status& status) {
  return std::string(Message(status));
}

/// A pool whose devices have these sizes; 0 is a device that is missing.
class Pool {
 public:
  explicit Pool(std::initializer_list<std::uint64_t> sizes) {
    for (const std::uint64_t size : sizes) {
      owned_.push_back(size == 0 ? nullptr
                                 : std::make_unique<ExtentAllocator>(size));
      devices_.push_back(owned_.back().get());
    }
  }
  ExtentAllocator& operator[](std::size_t index) { return *devices_[index]; }
  std::span<ExtentAllocator* const> devices() { return devices_; }
  absl::StatusOr<Placement> Place(const PlacementRequest& request) {
    return famfs::Place(devices_, request);
  }
  Room RoomFor(const PlacementRequest& request) {
    return famfs::RoomFor(devices_, request);
  }
  /// Leaves of a device nothing but `free`.
  void LeaveFree(std::size_t index, std::initializer_list<Range> free) {
    ASSERT_TRUE((*this)[index].Take({0, (*this)[index].device_size()}).ok());
    for (const Range& range : free) {
      ASSERT_TRUE((*this)[index].Free(range).ok());
    }
  }

 private:
  std::vector<std::unique_ptr<ExtentAllocator>> owned_;
  std::vector<ExtentAllocator*> devices_;
};

PlacementRequest Contiguous(std::uint64_t size, std::size_t max_extents = 1) {
  return {.size = size, .max_extents = max_extents};
}

PlacementRequest Strips(std::uint64_t size, std::uint32_t strips,
                        std::uint64_t chunk, std::uint32_t buckets = 0) {
  return {.size = size,
          .max_extents = 1,
          .strips = strips,
          .chunk = chunk,
          .buckets = buckets};
}

TEST(PlacementTest, OneExtentGoesToTheDeviceWithMostFree) {
  Pool pool({4 * kGiB, 5 * kGiB, 5 * kGiB});
  const auto first = pool.Place(Contiguous(kUnit + 1));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*first, (Placement{0, {{1, 0, 2 * kUnit}}}));
  const auto second = pool.Place(Contiguous(kUnit));
  EXPECT_EQ(*second, (Placement{0, {{2, 0, kUnit}}}));
}

TEST(PlacementTest, DeviceWithRoomOnA1GiBBoundaryComesFirst) {
  Pool pool({4 * kGiB, 8 * kGiB});
  pool.LeaveFree(0, {{kGiB, kGiB}});
  pool.LeaveFree(1, {{kUnit, 2 * kGiB - 2 * kUnit}});
  const auto placement = pool.Place(Contiguous(kGiB));
  ASSERT_TRUE(placement.ok());
  EXPECT_EQ(*placement, (Placement{0, {{0, kGiB, kGiB}}}));
  EXPECT_EQ(*pool.Place(Contiguous(kGiB)), (Placement{0, {{1, kUnit, kGiB}}}))
      << "better anywhere than nowhere";
}

TEST(PlacementTest, WithoutOneLargePieceTheFewestAreTakenByPlace) {
  Pool pool({4 * kGiB, 4 * kGiB});
  pool.LeaveFree(0, {{0, 4 * kUnit}, {10 * kUnit, kUnit}});
  pool.LeaveFree(1, {{0, 2 * kUnit}, {8 * kUnit, 5 * kUnit}});
  EXPECT_EQ(pool.Place(Contiguous(10 * kUnit)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(pool.RoomFor(Contiguous(1, 3)), (Room{12 * kUnit, 11 * kUnit}));
  // 5 and 4 units whole, and the tenth where it fits best.
  const auto placement = pool.Place(Contiguous(10 * kUnit - 17, 3));
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(
      *placement,
      (Placement{
          0, {{0, 0, 4 * kUnit}, {1, 0, kUnit}, {1, 8 * kUnit, 5 * kUnit}}}));
}

TEST(PlacementTest, StripsLieOnTheFreestDevicesFirst) {
  Pool pool({4 * kGiB, 6 * kGiB, 0, 5 * kGiB});
  // Five chunks in two strips: three chunks each.
  const auto placement = pool.Place(Strips(5 * kUnit, 2, kUnit));
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(*placement,
            (Placement{kUnit, {{1, 0, 3 * kUnit}, {3, 0, 3 * kUnit}}}));
}

TEST(PlacementTest, StripsLieInTheEmptiestBucketsOfOneDevice) {
  Pool pool({4 * kGiB + kUnit, 4 * kGiB});
  ASSERT_TRUE(pool[0].Take({0, kUnit}).ok());         // bucket 0 of 4
  ASSERT_TRUE(pool[0].Take({2 * kGiB, kUnit}).ok());  // bucket 2
  ASSERT_TRUE(pool[1].Take({kGiB, 4 * kUnit}).ok());  // less is free here
  const auto placement = pool.Place(Strips(6 * kUnit, 3, 2 * kUnit, 4));
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(*placement, (Placement{2 * kUnit,
                                   {{0, kGiB, 2 * kUnit},
                                    {0, 3 * kGiB, 2 * kUnit},
                                    {0, kUnit, 2 * kUnit}}}));
}

TEST(PlacementTest, WhatIsSmallerThanAChunkIsContiguous) {
  Pool pool({4 * kGiB, 4 * kGiB});
  const auto placement = pool.Place(Strips(4 * kUnit - 1, 2, 4 * kUnit));
  ASSERT_TRUE(placement.ok());
  EXPECT_EQ(*placement, (Placement{0, {{0, 0, 4 * kUnit}}}));
  EXPECT_EQ(pool.Place(Strips(4 * kUnit, 2, 4 * kUnit))->extents.size(), 2U);
}

TEST(PlacementTest, WithTooFewDevicesLeftOnlyTheSmallFit) {
  Pool pool({4 * kGiB, 0});
  const Room small{kGiB - kUnit, kGiB - kUnit};
  EXPECT_EQ(pool.RoomFor(Strips(1, 2, kGiB)), small);
  const absl::Status status = pool.Place(Strips(kGiB, 2, kGiB)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Text(status),
            "asked for 1.00 GiB in 2 strips of 1.00 GiB chunks over devices, "
            "free for that are 1022.00 MiB, the largest file that fits has "
            "1022.00 MiB");
}

TEST(PlacementTest, NoRoomTellsWhatThereIs) {
  Pool pool({kGiB, kGiB});
  pool.LeaveFree(0, {{0, 3 * kUnit}});
  pool.LeaveFree(1, {{0, 2 * kUnit}});
  EXPECT_EQ(Text(pool.Place(Contiguous(4 * kUnit)).status()),
            "asked for 8.00 MiB in at most 1 extents, free are 10.00 MiB, the "
            "largest file that fits has 6.00 MiB");
  EXPECT_EQ(pool.Place(Contiguous(~0ULL, 16)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(pool.Place(Strips(~0ULL, 2, 1ULL << 63)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(pool[0].free_bytes(), 3 * kUnit);
}

TEST(PlacementTest, BrokenRulesAreTold) {
  const std::vector<std::uint64_t> devices = {4 * kGiB, 64 * kGiB};
  const auto text = [&](const PlacementRequest& request) {
    const absl::Status status = CheckPlacementRequest(request, devices);
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    return Text(status);
  };
  EXPECT_THAT(text(Contiguous(0)), HasSubstr("0 bytes"));
  EXPECT_THAT(text(Contiguous(1, 0)), HasSubstr("1 to 16"));
  EXPECT_THAT(text(Contiguous(1, 17)), HasSubstr("1 to 16"));
  EXPECT_THAT(text(Strips(1, 0, kUnit)), HasSubstr("without strips"));
  EXPECT_THAT(text(Strips(1, 0, 0, 4)), HasSubstr("without strips"));
  EXPECT_THAT(text(Strips(1, 17, kUnit, 64)), HasSubstr("1 to 16"));
  EXPECT_THAT(text(Strips(1, 2, 0)), HasSubstr("power of two"));
  EXPECT_THAT(text(Strips(1, 2, kMiB)), HasSubstr("at least 2 MiB"));
  EXPECT_THAT(text(Strips(1, 2, 3 * kUnit)), HasSubstr("power of two"));
  EXPECT_THAT(text(Strips(1, 3, kUnit)), HasSubstr("3 strips on 2 devices"));
  EXPECT_THAT(text(Strips(1, 5, kUnit, 4)), HasSubstr("5 strips in 4 buckets"));
  EXPECT_THAT(text(Strips(1, 2, kUnit, 65)), HasSubstr("at most 64"));
  EXPECT_EQ(text(Strips(1, 16, kUnit, 64)), "") << "64 buckets of 1 GiB";
  EXPECT_THAT(Text(CheckPlacementRequest(Strips(1, 2, kUnit, 64),
                                         std::span(devices).first(1))),
              HasSubstr("a bucket has at least 1 GiB"));
  EXPECT_EQ(text(Contiguous(1, 16)), "");
  EXPECT_EQ(text(Strips(1, 1, kUnit)), "");
  EXPECT_EQ(text(Strips(1, 2, 1ULL << 40)), "") << "however large the chunk";
}

TEST(PlacementTest, WhatCannotBeGivenBackChangesNothing) {
  Pool pool({4 * kGiB, 4 * kGiB, 0});
  const auto placement = pool.Place(Strips(4 * kUnit, 2, kUnit));
  ASSERT_TRUE(placement.ok());
  for (const MediaExtent& wrong :
       {MediaExtent{2, 0, kUnit}, MediaExtent{3, 0, kUnit},
        MediaExtent{0, kGiB, kUnit}, MediaExtent{0, 0, 2 * kUnit}}) {
    Placement more = *placement;
    more.extents.push_back(wrong);
    EXPECT_EQ(GiveBack(pool.devices(), more).code(),
              absl::StatusCode::kInternal);
    EXPECT_EQ(pool[0].free_bytes(), 4 * kGiB - 2 * kUnit);
    EXPECT_EQ(pool[1].free_bytes(), 4 * kGiB - 2 * kUnit);
  }
  ASSERT_TRUE(GiveBack(pool.devices(), *placement).ok());
  EXPECT_THAT(pool[0].FreeExtents(), ElementsAre(Range{0, 4 * kGiB}));
  EXPECT_EQ(GiveBack(pool.devices(), *placement).code(),
            absl::StatusCode::kInternal)
      << "a second time";
}

}  // namespace
}  // namespace famfs
