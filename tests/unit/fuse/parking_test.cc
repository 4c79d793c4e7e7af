// Bytes of writes that wait.
#include "fuse/files/parking.h"

#include <gtest/gtest.h>

#include <array>

namespace famfs {
namespace {

TEST(Parking, IsBounded) {
  Parking parking(10);
  const std::array<std::byte, 6> bytes{};
  ParkedBytes kept;
  ASSERT_TRUE(kept.Take(parking, bytes));
  EXPECT_EQ(kept.size(), 6U);
  {
    ParkedBytes refused;
    EXPECT_FALSE(refused.Take(parking, bytes));
    EXPECT_EQ(refused.size(), 0U);
    ParkedBytes fits;
    EXPECT_TRUE(fits.Take(parking, std::span(bytes).first(4)));
  }
  ParkedBytes later;
  EXPECT_TRUE(later.Take(parking, std::span(bytes).first(4)))
      << "what went gave its place back";
}

}  // namespace
}  // namespace famfs
