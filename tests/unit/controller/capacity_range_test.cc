#include "controller/capacity_range.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "base/units.h"

namespace famfs::controller {
namespace {

constexpr std::int64_t kMiBs = static_cast<std::int64_t>(kMiB);

struct Case {
  const char* name;
  std::int64_t required;
  std::int64_t limit;
  std::optional<std::uint64_t> size;  // none: OutOfRange
};

class ChooseSizeTest : public ::testing::TestWithParam<Case> {};

TEST_P(ChooseSizeTest, Chooses) {
  ::csi::v1::CapacityRange range;
  range.set_required_bytes(GetParam().required);
  range.set_limit_bytes(GetParam().limit);
  const auto size = ChooseSize(&range);
  if (!GetParam().size.has_value()) {
    EXPECT_TRUE(absl::IsOutOfRange(size.status())) << size.status();
    return;
  }
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(*size, *GetParam().size);
  EXPECT_TRUE(Satisfies(*size, &range));
}

INSTANTIATE_TEST_SUITE_P(
    Ranges, ChooseSizeTest,
    ::testing::Values(
        Case{"RoundsUpToTheUnit", 1, 0, 2 * kMiB},
        Case{"KeepsAMultiple", 4 * kMiBs, 0, 4 * kMiB},
        Case{"RoundingStaysWithinTheLimit", 3 * kMiBs, 4 * kMiBs, 4 * kMiB},
        Case{"RoundingBeyondTheLimit", 3 * kMiBs, 3 * kMiBs, std::nullopt},
        Case{"LimitAloneAboveTheDefault", 0, 4096 * kMiBs, kGiB},
        Case{"LimitAloneBelowTheDefault", 0, 5 * kMiBs, 4 * kMiB},
        Case{"LimitBelowTheUnit", 0, 1, std::nullopt},
        Case{"Crossed", 8 * kMiBs, 4 * kMiBs, std::nullopt},
        Case{"NegativeRequired", -1, 0, std::nullopt},
        Case{"NegativeLimit", 0, -1, std::nullopt}, Case{"Empty", 0, 0, kGiB},
        Case{"TheLargestNumber", std::numeric_limits<std::int64_t>::max(), 0,
             std::nullopt},
        Case{"TheLargestMultiple",
             std::numeric_limits<std::int64_t>::max() / (2 * kMiBs) * 2 * kMiBs,
             0,
             static_cast<std::uint64_t>(
                 std::numeric_limits<std::int64_t>::max()) /
                 (2 * kMiB) * 2 * kMiB}),
    [](const auto& param) { return param.param.name; });

TEST(ChooseSize, WithoutARangeIsOneGiB) {
  EXPECT_EQ(*ChooseSize(nullptr), kGiB);
  EXPECT_TRUE(Satisfies(17, nullptr));
}

TEST(Satisfies, AnySizeWithinTheBounds) {
  ::csi::v1::CapacityRange range;
  range.set_required_bytes(10);
  range.set_limit_bytes(20);
  EXPECT_FALSE(Satisfies(9, &range));
  EXPECT_TRUE(Satisfies(10, &range));
  EXPECT_TRUE(Satisfies(20, &range));
  EXPECT_FALSE(Satisfies(21, &range));
}

}  // namespace
}  // namespace famfs::controller
