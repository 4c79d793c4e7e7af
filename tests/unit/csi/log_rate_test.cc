#include "csi/rpc/log_rate.h"

#include <gtest/gtest.h>

#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

using std::chrono::milliseconds;

TEST(LogRate, AFewLinesPassAndTheRestIsCounted) {
  LogRate rate(3, std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rate.Pass(), 0U);
  for (int i = 0; i < 17; ++i) EXPECT_EQ(rate.Pass(), std::nullopt);
}

TEST(LogRate, LaterAnotherPassesAndTellsTheCount) {
  LogRate rate(1, milliseconds(50));
  EXPECT_TRUE(rate.Pass().has_value());
  std::uint64_t held_back = 0;
  std::uint64_t told = 0;
  EXPECT_TRUE(WaitUntil([&] {
    const auto passed = rate.Pass();
    if (!passed.has_value()) ++held_back;
    told = passed.value_or(0);
    return passed.has_value();
  }));
  EXPECT_EQ(told, held_back);
  EXPECT_EQ(LogRate::Told(0), "");
  EXPECT_EQ(LogRate::Told(17), " (and 17 more like it)");
}

}  // namespace
}  // namespace famfs::csi
