// Near words, owners and modes.
#include <gtest/gtest.h>

#include "csi/config/nearest.h"
#include "csi/config/owner.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

constexpr std::string_view kWords[] = {"pool", "dataPath", "uid", "gid"};

TEST(NearestWord, FindsATypingMistake) {
  EXPECT_EQ(NearestWord("datapath", kWords), "dataPath");
  EXPECT_EQ(NearestWord("dataPaht", kWords), "dataPath");
  EXPECT_EQ(NearestWord("pools", kWords), "pool");
  EXPECT_EQ(DidYouMean("poll", kWords), " (did you mean \"pool\"?)");
}

TEST(NearestWord, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(NearestWord("replicas", kWords), "");
  EXPECT_EQ(NearestWord("", kWords), "");
  EXPECT_EQ(DidYouMean(std::string(100'000, 'x'), kWords), "");
}

TEST(Owner, IdsAreDecimalAndNeverMinusOne) {
  EXPECT_EQ(*ParseOwnerId("0"), 0U);
  EXPECT_EQ(*ParseOwnerId("4294967294"), 4294967294U);
  for (const char* bad : {"", "-1", "4294967295", "1x", " 1", "0x10", "1.0"}) {
    ExpectError(ParseOwnerId(bad).status(), absl::StatusCode::kInvalidArgument,
                "decimal");
  }
}

TEST(Owner, ModesAreOctalPermissionBits) {
  EXPECT_EQ(*ParseMode("0770"), 0770U);
  EXPECT_EQ(*ParseMode("770"), 0770U);
  EXPECT_EQ(*ParseMode("0"), 0U);
  for (const char* bad : {"", "1777", "778", "0o770", "-7", "rwx"}) {
    ExpectError(ParseMode(bad).status(), absl::StatusCode::kInvalidArgument,
                "octal");
  }
}

}  // namespace
}  // namespace famfs::csi
