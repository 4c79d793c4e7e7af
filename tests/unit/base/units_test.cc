#include "base/units.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>

#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using testing::HasError;

TEST(ParseSizeTest, EverySpellingOfAUnitIsRead) {
  const struct {
    std::string_view text;
    std::uint64_t bytes;
  } cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"17B", 17},
      {"1k", kKiB},
      {"1KB", kKiB},
      {"2m", 2 * kMiB},
      {"512MiB", 512 * kMiB},
      {"512mib", 512 * kMiB},
      {"3Mi", 3 * kMiB},
      {"4G", 4 * kGiB},
      {"4GB", 4 * kGiB},
      {"8TiB", 8 * kTiB},
      {"1P", 1024 * kTiB},
      {"15E", 15ULL << 60},
      {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& c : cases) {
    const auto size = ParseSize(c.text);
    ASSERT_TRUE(size.ok()) << c.text << ": " << size.status();
    EXPECT_EQ(*size, c.bytes) << c.text;
  }
}

TEST(ParseSizeTest, WhatIsNoSizeIsRefusedByName) {
  for (const std::string_view text :
       {"", " ", "G", "-1", "+1", "1.5G", "1 G", "1G ", "0x10", "1GiBs", "1X",
        "1iB", "1BB", "1Gii"}) {
    EXPECT_THAT(ParseSize(text), HasError(absl::StatusCode::kInvalidArgument,
                                          fmt::format("\"{}\"", text)))
        << text;
  }
}

TEST(ParseSizeTest, WhatDoesNotFitIsOutOfRange) {
  for (const std::string_view text :
       {"18446744073709551616", "16E", "17179869184G",
        "99999999999999999999999T"}) {
    EXPECT_THAT(ParseSize(text), HasError(absl::StatusCode::kOutOfRange, text));
  }
}

TEST(FormatSizeTest, ThreeDigitsThatPeopleRead) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(1023), "1023 B");
  EXPECT_EQ(FormatSize(1024), "1.00 KiB");
  EXPECT_EQ(FormatSize(2 * kMiB), "2.00 MiB");
  EXPECT_EQ(FormatSize(3 * kGiB), "3.00 GiB");
  EXPECT_EQ(FormatSize(3 * kGiB + kGiB / 2), "3.50 GiB");
  EXPECT_EQ(FormatSize(kGiB - 1), "1.00 GiB");
  EXPECT_EQ(FormatSize(UINT64_MAX), "16.00 EiB");
}

TEST(RoundUpTest, GoesToTheNextMultipleAndStaysOnOne) {
  EXPECT_EQ(RoundUp(0, 2 * kMiB), 0U);
  EXPECT_EQ(RoundUp(1, 2 * kMiB), 2 * kMiB);
  EXPECT_EQ(RoundUp(2 * kMiB, 2 * kMiB), 2 * kMiB);
  EXPECT_EQ(RoundUp(2 * kMiB + 1, 2 * kMiB), 4 * kMiB);
}

}  // namespace
}  // namespace famfs
